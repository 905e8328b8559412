//! What becomes of uploads.

use super::*;

#[test]
fn an_upload_is_stored_registered_and_answered_with_its_url() {
    let app = app();
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
    let data = &outcome.json["data"];
    let key = data["key"].as_str().expect("has a key");
    assert!(key.starts_with(&format!("users/123/images/{NOW_MS}-")), "{key}");
    assert_eq!(outcome.json["url"], format!("https://image.the-form/{key}"));
    assert_eq!(data["imageId"], 1);
    assert_eq!(data["originalFilename"], "me.gif");
    assert_eq!(app.ports.stored(), [key]);
    assert_eq!(app.ports.registry.keys(), [key]);

    let picture = send(&app, Request::builder().uri(format!("https://edge.example/{key}")), b"");
    assert_eq!(picture.status, StatusCode::OK);
    assert_eq!(picture.headers["content-type"], "image/gif");
}

#[test]
fn nothing_is_acknowledged_that_is_not_kept() {
    let app = app();
    app.ports.store.broken.set(true);
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!(outcome.code(), "STORAGE_UNAVAILABLE");
    assert!(outcome.headers.contains_key("retry-after"));
    assert!(app.ports.registry.keys().is_empty());

    app.ports.store.broken.set(false);
    app.ports.registry.broken.set(true);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert!(app.ports.stored().is_empty(), "no object without row");

    app.ports.registry.broken.set(false);
    app.ports.ledger.broken.set(true);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert!(app.ports.stored().is_empty(), "what cannot be counted is not admitted");
}

#[test]
fn a_fault_of_ours_is_not_told_in_its_own_words() {
    let app = app();
    app.ports.store.broken.set(true);
    let outcome = send(&app, upload(), PIXEL);
    assert!(!outcome.json.to_string().contains("told to fail"), "{}", outcome.json);
    assert_eq!(outcome.headers["x-request-id"], outcome.json["requestId"].as_str().expect("text"));
}

#[test]
fn the_same_bytes_again_are_the_same_picture_and_charge_nothing() {
    let app = app();
    let first = send(&app, upload(), PIXEL);
    let again = send(&app, upload(), PIXEL);
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(first.json["data"]["key"], again.json["data"]["key"]);
    assert_eq!(first.json["data"]["imageId"], again.json["data"]["imageId"]);
    assert_eq!(app.ports.stored().len(), 1, "the second object is gone");
    let day = |outcome: &Outcome| limit(outcome, "day");
    assert_eq!(day(&again), day(&first) - 1, "charged while it lasts");
    let other = send(&app, upload_as(&serde_json::json!({"sub": "124"})), PIXEL);
    assert_eq!(other.status, StatusCode::CREATED, "never across users");
    app.ports.clock_ms.set(NOW_MS + 30_000);
    let third = send(&app, upload(), &[PIXEL, b"trailing"].concat());
    assert_eq!(third.status, StatusCode::OK, "the same once it is scrubbed");
    assert_eq!(
        third.json["data"]["removed"],
        serde_json::json!(["trailing"]),
        "of what was sent now"
    );
    assert_eq!(day(&third), day(&again), "what was charged for nothing came back");
}

#[test]
fn what_a_guest_uploads_goes_away_unless_it_is_claimed() {
    let app = app();
    let outcome = send(&app, upload_as(&serde_json::json!({"sub": "g-1", "role": "GUEST"})), PIXEL);
    assert_eq!(outcome.status, StatusCode::CREATED);
    assert_eq!(outcome.json["data"]["imageId"], Value::Null);
    let expires = crate::response::timestamp(NOW_MS + 3_600_000);
    assert_eq!(outcome.json["data"]["expiresAt"], expires);
    app.ports.clock_ms.set(NOW_MS + 3_599_999);
    block_on(app.ports.ledger.ring());
    assert_eq!(app.ports.stored().len(), 1);
    app.ports.clock_ms.set(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.ring());
    assert!(app.ports.stored().is_empty());
}

#[test]
fn an_upload_that_took_too_long_is_not_even_written() {
    let app = app_with(&[("INTENT_S", "2"), ("STORAGE_TIMEOUT_MS", "100")]);
    app.ports.tick_ms.set(1_000);
    assert_eq!(send(&app, upload(), PIXEL).code(), "BUSY");
    assert_eq!(app.ports.store.writes.get(), 0, "nobody would look for it any more");
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

fn form(parts: &[(&str, &[u8])]) -> (http::request::Builder, Vec<u8>) {
    let token = hs256(serde_json::json!({"sub": "123"}), 60);
    let mut body = Vec::new();
    for (headers, content) in parts {
        body.extend_from_slice(b"--limit\r\n");
        body.extend_from_slice(headers.as_bytes());
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--limit--\r\n");
    let request = Request::builder()
        .method(Method::POST)
        .uri("https://edge.example/images")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "multipart/form-data; boundary=limit");
    (request, body)
}

const FILE: &str = "Content-Disposition: form-data; name=\"image\"; filename=\"프로필.gif\"\r\n\
     Content-Type: image/gif";
const FORM_ID: &str = "Content-Disposition: form-data; name=\"formId\"";
const USER_ID: &str = "Content-Disposition: form-data; name=\"userId\"";

#[test]
fn a_form_with_one_picture_is_answered_like_a_bare_one_wherever_its_fields_stand() {
    let before: &[(&str, &[u8])] = &[(FORM_ID, b"f-1"), (USER_ID, b"123"), (FILE, PIXEL)];
    let after: &[(&str, &[u8])] = &[(FILE, PIXEL), (USER_ID, b"123"), (FORM_ID, b"f-1")];
    for parts in [before, after] {
        let app = app();
        let (request, body) = form(parts);
        let outcome = send(&app, request, &body);
        assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
        assert_eq!(outcome.json["data"]["formId"], "f-1");
        assert_eq!(outcome.json["data"]["originalFilename"], "프로필.gif");
        assert_eq!(app.ports.store.objects.borrow().len(), 1);
        assert_eq!(app.isolate.memory.used_bytes(), 0, "memory was given back");
    }
}

#[test]
fn a_picture_sent_to_two_forms_is_two_pictures_and_a_repeat_within_a_form_is_free() {
    let app = app();
    let to_form = |id: &[u8]| {
        let (request, body) = form(&[(FORM_ID, id), (FILE, PIXEL)]);
        let outcome = send(&app, request, &body);
        assert_eq!(outcome.json["data"]["formId"].as_str().map(str::as_bytes), Some(id));
        outcome
    };
    let bare = send(&app, upload(), PIXEL);
    let [first, second] = [b"f-1", b"f-2"].map(|id| to_form(id));
    let all = [&bare, &first, &second];
    assert_eq!(all.map(|it| it.status), [StatusCode::CREATED; 3]);
    let keys: std::collections::BTreeSet<_> =
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
    let claims = serde_json::json!({"sub": "123"});
    let asking = Request::builder()
        .method(Method::POST)
        .uri("https://edge.example/uploads/tickets")
        .header("authorization", format!("Bearer {}", hs256(claims, 60)))
        .header("content-type", "application/json");
    let ticket = send(&app, asking, br#"{"formId":"f-2"}"#).json["data"]["ticket"].clone();
    let ticketed = super::images::upload_with(&app, ticket.as_str().expect("issued"));
    assert_eq!(
        (ticketed.status, &ticketed.json["data"]["key"]),
        (StatusCode::OK, &second.json["data"]["key"])
    );
}

#[test]
fn several_pictures_have_a_result_each_in_their_order() {
    let app = app();
    let text = FILE.replace("image/gif", "text/plain");
    let (request, body) = form(&[(FILE, PIXEL), (&text, b"hello"), (FILE, b"GIF89a cut")]);
    let outcome = send(&app, request, &body);
    assert_eq!(outcome.status, StatusCode::MULTI_STATUS, "{}", outcome.json);
    let data = &outcome.json["data"];
    assert!(data[0]["key"].is_string());
    assert_eq!(data[1]["code"], "INVALID_FILE_TYPE");
    assert_eq!(data[1]["originalFilename"], "프로필.gif");
    assert_eq!(data[2]["code"], "IMAGE_CORRUPT");
    assert_eq!(outcome.json["url"], data[0]["imageUrl"]);
    assert_eq!(app.ports.store.objects.borrow().len(), 1);

    let (request, body) = form(&[(FILE, PIXEL), (FILE, PIXEL)]);
    assert_eq!(send(&app, request, &body).status, StatusCode::CREATED);
}

#[test]
fn a_ticket_is_good_for_one_picture_of_a_form() {
    let app = app();
    let (mut asking, _) = form(&[]);
    asking = asking.uri("https://edge.example/uploads/tickets");
    asking
        .headers_mut()
        .expect("valid")
        .insert("content-type", "application/json".parse().expect("text"));
    let ticket = send(&app, asking, b"{}").json["data"]["ticket"].clone();
    let bearer = format!("Bearer {}", ticket.as_str().expect("issued"));
    let (mut request, body) = form(&[(FILE, PIXEL), (FILE, &picture(1))]);
    request.headers_mut().expect("valid").insert("authorization", bearer.parse().expect("text"));
    let outcome = send(&app, request, &body);
    assert_eq!(outcome.status, StatusCode::MULTI_STATUS, "{}", outcome.json);
    assert!(outcome.json["data"][0]["key"].is_string());
    assert_eq!(outcome.json["data"][1]["code"], "TICKET_REQUIRED");
    assert_eq!(app.ports.stored().len(), 1);
}

#[test]
fn a_form_that_cannot_be_taken_leaves_nothing() {
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
        let (request, body) = form(parts);
        let outcome = send(&app, request, &body);
        assert_eq!(outcome.code(), code, "{parts:?}");
        assert!(app.ports.store.objects.borrow().is_empty());
    }
}

#[test]
fn memory_that_does_not_come_free_in_time_is_busy() {
    let app = app();
    let half = app.config.memory_budget_bytes / 2;
    let held = block_on(crate::memory::reserve(&app, crate::memory::Purpose::Body, half));
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!(outcome.json["code"], "BUSY");
    assert_eq!(outcome.headers["retry-after"], "2");
    drop(held);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}

#[test]
fn when_all_places_are_taken_nothing_is_asked() {
    let app = app();
    let taken: Vec<_> =
        (0..32).map(|_| block_on(crate::places::take(&app)).expect("a place")).collect();
    let outcome = send(&app, upload(), PIXEL);
    assert_eq!((outcome.status, outcome.code()), (StatusCode::SERVICE_UNAVAILABLE, "BUSY"));
    assert_eq!(outcome.headers["retry-after"], "2");
    assert!(!outcome.headers.contains_key("ratelimit"), "neither address nor user has paid");
    drop(taken);
    assert_eq!(send(&app, upload(), PIXEL).status, StatusCode::CREATED);
}
