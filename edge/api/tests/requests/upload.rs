//! Uploads.

use std::collections::BTreeSet;

use edge_api::concurrency::Client;
use edge_auth::testing::NOW_MS;
use edge_types::timestamp;
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    BASE_URL, PIXEL, TestApp, TestResponse, app, app_with, get, gif, remaining, send, upload,
    upload_as, upload_of, upload_with, user_token,
};

#[test]
fn an_upload_is_stored_registered_and_answered_with_its_url() {
    let app = app();
    let response = send(&app, upload(), PIXEL);
    assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
    let data = &response.json["data"];
    let key = data["key"].as_str().expect("has a key");
    assert!(key.starts_with(&format!("users/123/images/{NOW_MS}-")), "{key}");
    assert_eq!(response.json["url"], format!("{BASE_URL}/{key}"));
    assert_eq!(data["imageId"], 1);
    assert_eq!(data["originalFilename"], "me.gif");
    assert_eq!(app.ports.stored(), [key]);
    assert_eq!(app.ports.registry.keys(), [key]);

    let picture = send(&app, get(&format!("/{key}")), b"");
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/gif");
}

#[test]
fn nothing_is_acknowledged_unless_everything_is_durable() {
    let app = app();
    app.ports.store.broken.set(true);
    let response = send(&app, upload(), PIXEL);
    assert_eq!(response.code(), "STORAGE_UNAVAILABLE");
    assert!(response.headers.contains_key("retry-after"));
    assert!(app.ports.registry.keys().is_empty());

    app.ports.store.broken.set(false);
    app.ports.registry.broken.set(true);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert!(app.ports.stored().is_empty(), "no object without row");

    app.ports.registry.broken.set(false);
    app.ports.ledger.broken.set(true);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert!(app.ports.stored().is_empty(), "without a ledger nothing is admitted");
}

#[test]
fn with_uploads_switched_off_nothing_is_uploaded_and_everything_is_read() {
    let on = app();
    assert_eq!(send(&on, get("/policy"), b"").json["uploads"], "on");
    let key = send(&on, upload(), PIXEL).json["data"]["key"].as_str().expect("stored").to_owned();

    let off = TestApp { config: app_with(&[("UPLOADS", "off")]).config, ..on };
    // Neither a token is verified nor a ledger asked.
    off.ports.ledger.broken.set(true);
    let ticket = get("/uploads/tickets").method(Method::POST);
    for request in [upload(), upload_with("no token"), ticket] {
        let response = send(&off, request, PIXEL);
        assert_eq!(response.code(), "UPLOADS_OFF");
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers["retry-after"], "300");
        assert_eq!(response.json["backendCode"], "COMMON-009");
    }
    off.ports.ledger.broken.set(false);
    assert_eq!(off.ports.stored(), [key.as_str()]);
    assert_eq!(send(&off, get("/policy"), b"").json["uploads"], "off");
    assert_eq!(send(&off, get(&format!("/{key}")), b"").status, StatusCode::OK);
    let authorization = format!("Bearer {}", user_token());
    for (method, path) in [(Method::GET, "/images"), (Method::DELETE, "/images/1")] {
        let request = get(path).method(method).header("authorization", &authorization);
        assert_eq!(send(&off, request, b"").status, StatusCode::OK, "{path}");
    }
}

#[test]
fn the_cause_of_a_server_error_is_not_shown() {
    let app = app();
    app.ports.store.broken.set(true);
    let response = send(&app, upload(), PIXEL);
    assert!(!response.json.to_string().contains("set to fail"), "{}", response.json);
    assert_eq!(
        response.headers["x-request-id"],
        response.json["requestId"].as_str().expect("text")
    );
}

#[test]
fn the_same_bytes_again_are_the_same_image_and_not_charged() {
    let app = app();
    let first = send(&app, upload(), PIXEL);
    let again = send(&app, upload(), PIXEL);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(first.json["data"]["key"], again.json["data"]["key"]);
    assert_eq!(first.json["data"]["imageId"], again.json["data"]["imageId"]);
    assert_eq!(app.ports.stored().len(), 1, "the second object was deleted");
    let day = |response: &TestResponse| remaining(response, "day");
    assert_eq!(day(&again), day(&first) - 1, "charged during the upload");
    let other = send(&app, upload_as(&json!({"sub": "124"})), PIXEL);
    assert_eq!(other.status, StatusCode::CREATED, "never across users");
    app.ports.set_time(NOW_MS + 30_000);
    let third = send(&app, upload(), &[PIXEL, b"trailing"].concat());
    assert_eq!(third.status, StatusCode::OK, "the same once its private data are removed");
    assert_eq!(third.json["data"]["removed"], json!(["trailing"]), "from this file");
    assert_eq!(day(&third), day(&again), "the charge was refunded");
}

#[test]
fn an_image_of_a_guest_expires_unless_it_is_claimed() {
    let app = app();
    let response = send(&app, upload_as(&json!({"sub": "g-1", "role": "GUEST"})), PIXEL);
    assert_eq!(response.status, StatusCode::CREATED);
    let id = response.json["data"]["imageId"].as_u64().expect("a number");
    assert_eq!(id / 1000, NOW_MS, "a number that no registered image has");
    let expires = timestamp(NOW_MS + 3_600_000);
    assert_eq!(response.json["data"]["expiresAt"], expires);
    app.ports.set_time(NOW_MS + 3_599_999);
    block_on(app.ports.ledger.run_alarms());
    assert_eq!(app.ports.stored().len(), 1);
    app.ports.set_time(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert!(app.ports.stored().is_empty());
}

#[test]
fn an_upload_whose_lease_has_ended_is_not_written() {
    let app = app_with(&[("INTENT_S", "2"), ("STORAGE_TIMEOUT_MS", "100")]);
    app.ports.tick_ms.set(1_000);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert_eq!(app.ports.store.writes.get(), 0, "the alarm may have looked for it already");
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(b"--limit\r\n");
        body.extend_from_slice(headers.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    body
}

fn send_form(app: &TestApp, token: &str, parts: &[(&str, &[u8])]) -> TestResponse {
    send(app, upload_of("multipart/form-data; boundary=limit", token), &form(parts))
}

/// A ticket for user 123.
fn ticket(app: &TestApp, request: &Value) -> String {
    let head = get("/uploads/tickets")
        .method(Method::POST)
        .header("authorization", format!("Bearer {}", user_token()))
        .header("content-type", "application/json");
    let response = send(app, head, request.to_string().as_bytes());
    response.json["data"]["ticket"].as_str().expect("issued").to_owned()
}

const FILE: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"프로필.gif\"\r\n\
     Content-Type: image/gif";
const FORM_ID: &str = "Content-Disposition: form-data; name=\"formId\"";
const USER_ID: &str = "Content-Disposition: form-data; name=\"userId\"";

#[test]
fn a_form_with_one_image_is_answered_like_a_bare_image_in_any_field_order() {
    let before: &[(&str, &[u8])] = &[(FORM_ID, b"f-1"), (USER_ID, b"123"), (FILE, PIXEL)];
    let after: &[(&str, &[u8])] = &[(FILE, PIXEL), (USER_ID, b"123"), (FORM_ID, b"f-1")];
    for parts in [before, after] {
        let app = app();
        let response = send_form(&app, &user_token(), parts);
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
        assert_eq!(response.json["data"]["formId"], "f-1");
        assert_eq!(response.json["data"]["originalFilename"], "프로필.gif");
        assert_eq!(app.ports.store.objects.borrow().len(), 1);
        assert_eq!(app.isolate.resources.memory.used_bytes(), 0, "the memory was released");
    }
}

#[test]
fn duplicates_are_recognised_within_one_form_only() {
    let app = app();
    let to_form = |id: &[u8]| {
        let response = send_form(&app, &user_token(), &[(FORM_ID, id), (FILE, PIXEL)]);
        assert_eq!(response.json["data"]["formId"].as_str().map(str::as_bytes), Some(id));
        response
    };
    let bare = send(&app, upload(), PIXEL);
    let [first, second] = [b"f-1", b"f-2"].map(|id| to_form(id));
    let all = [&bare, &first, &second];
    assert_eq!(all.map(|it| it.status), [StatusCode::CREATED; 3]);
    let keys: BTreeSet<_> =
        all.iter().map(|it| it.json["data"]["key"].as_str().expect("stored")).collect();
    assert_eq!(app.ports.stored(), keys.into_iter().collect::<Vec<_>>(), "three objects");
    for (id, before) in [(b"f-1", &first), (b"f-2", &second)] {
        let again = to_form(id);
        assert_eq!(
            (again.status, &again.json["data"]["key"]),
            (StatusCode::OK, &before.json["data"]["key"])
        );
    }
    // A ticket for a form names the form.
    let ticketed = send(&app, upload_with(&ticket(&app, &json!({"formId": "f-2"}))), PIXEL);
    assert_eq!(
        (ticketed.status, &ticketed.json["data"]["key"]),
        (StatusCode::OK, &second.json["data"]["key"])
    );
}

#[test]
fn several_images_have_one_result_each_in_their_order() {
    let app = app();
    let text = FILE.replace("image/gif", "text/plain");
    let parts: &[(&str, &[u8])] = &[(FILE, PIXEL), (&text, b"hello"), (FILE, b"GIF89a cut")];
    let response = send_form(&app, &user_token(), parts);
    assert_eq!(response.status, StatusCode::MULTI_STATUS, "{}", response.json);
    let data = &response.json["data"];
    assert!(data[0]["key"].is_string());
    assert_eq!(data[1]["code"], "INVALID_FILE_TYPE");
    assert_eq!(data[1]["originalFilename"], "프로필.gif");
    assert_eq!(data[2]["code"], "IMAGE_CORRUPT");
    assert_eq!(response.json["url"], data[0]["imageUrl"]);
    assert_eq!(app.ports.store.objects.borrow().len(), 1);

    let twice = send_form(&app, &user_token(), &[(FILE, PIXEL), (FILE, PIXEL)]);
    assert_eq!(twice.status, StatusCode::CREATED);
}

#[test]
fn a_ticket_admits_one_image_of_a_form() {
    let app = app();
    let ticket = ticket(&app, &json!({}));
    let response = send_form(&app, &ticket, &[(FILE, PIXEL), (FILE, &gif(1))]);
    assert_eq!(response.status, StatusCode::MULTI_STATUS, "{}", response.json);
    assert!(response.json["data"][0]["key"].is_string());
    assert_eq!(response.json["data"][1]["code"], "TICKET_REQUIRED");
    assert_eq!(app.ports.stored().len(), 1);
}

#[test]
fn an_invalid_form_leaves_nothing_stored() {
    let empty = FILE.replace("프로필.gif", "").replace("image/gif", "application/octet-stream");
    for (parts, code) in [
        (&[(FILE, PIXEL), (USER_ID, &b"124"[..])][..], "USER_MISMATCH"),
        (&[(USER_ID, &b"123"[..]), (USER_ID, b"124"), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(USER_ID, &b"../etc"[..]), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(FORM_ID, &b"a\nb"[..]), (FILE, PIXEL)], "MALFORMED_REQUEST"),
        (&[(FORM_ID, &b"f-1"[..])], "FILE_MISSING"),
        (&[(&empty, &b""[..])], "FILE_MISSING"),
        (&[(FILE, &b""[..])], "FILE_MISSING"),
        (&[("Content-Type: image/gif", PIXEL)], "MALFORMED_REQUEST"),
        (&[(FILE, PIXEL); 11], "MALFORMED_REQUEST"),
    ] {
        let app = app();
        let response = send_form(&app, &user_token(), parts);
        assert_eq!(response.code(), code, "{parts:?}");
        assert!(app.ports.store.objects.borrow().is_empty());
    }
}

#[test]
fn without_memory_in_time_the_response_is_busy() {
    let app = app();
    let (scheduler, nobody) = (app.scheduler(), Client::default());
    // The pool of small bodies.
    let sizes = [512 * 1024; 40];
    let reserve = |bytes| block_on(scheduler.reserve_body(&nobody, bytes, None)).expect("free");
    let leases: Vec<_> = sizes.map(reserve).into();
    let response = send(&app, upload(), PIXEL);
    assert_eq!(response.json["code"], "BUSY");
    assert_eq!(response.headers["retry-after"], "2");
    drop(leases);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}

#[test]
fn without_a_free_slot_no_ledger_is_asked() {
    let app = app();
    let slots: Vec<_> = (0..32)
        .map(|_| block_on(app.scheduler().acquire_slot(Client::default())).expect("free"))
        .collect();
    let response = send(&app, upload(), PIXEL);
    assert_eq!((response.status, response.code()), (StatusCode::SERVICE_UNAVAILABLE, "BUSY"));
    assert_eq!(response.headers["retry-after"], "2");
    assert!(!response.headers.contains_key("ratelimit"), "neither client IP nor user was charged");
    drop(slots);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}
