//! Tickets, claims, and registered images: list, read, delete.

use edge_auth::testing::NOW_MS;
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    BASE_URL, PIXEL, TestResponse, app, app_with, ask, get, gif, guest_token, send, upload,
    upload_of, upload_with,
};

fn user(sub: &str) -> Value {
    json!({"sub": sub})
}

#[test]
fn an_image_of_a_guest_is_claimed_once_with_the_guest_token() {
    let app = app();
    let token = guest_token(&app);
    let key = send(&app, upload_with(&token), PIXEL).json["data"]["key"].clone();
    let claim =
        |claims: &Value, body: Value| ask(&app, Method::POST, "/images/metadata", claims, &body);
    assert_eq!(claim(&user("7"), json!({"key": key})).code(), "USER_MISMATCH");
    let other = guest_token(&app);
    let stolen = json!({"key": key, "guestToken": other});
    assert_eq!(claim(&user("7"), stolen).code(), "USER_MISMATCH");

    let body = json!({"key": key, "guestToken": token, "formId": "f", "originalFilename": "x.gif"});
    let claimed = claim(&user("7"), body.clone());
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    assert_eq!(claimed.json["message"], "register_image_metadata_success");
    assert_eq!(claimed.json["data"]["imageId"], 1);
    app.ports.clock.advance(1_000);
    // A repetition is answered the same, also when the guest token has expired.
    for repeated in [body.clone(), json!({"key": key})] {
        let again = claim(&user("7"), repeated);
        assert_eq!(
            (again.status, again.json["data"]["imageId"].as_u64()),
            (StatusCode::OK, Some(1))
        );
        assert_eq!(again.json["message"], "register_image_metadata_success");
        assert_eq!(again.json["data"]["createdAt"], claimed.json["data"]["createdAt"]);
    }
    assert_eq!(claim(&user("8"), body).code(), "IMAGE_ALREADY_REGISTERED");
    let without_user = claim(&json!({"sub": "b", "role": "SERVICE"}), json!({"key": key}));
    assert_eq!(without_user.code(), "MALFORMED_REQUEST");
    assert!(without_user.json["detail"].as_str().expect("text").contains("`userId`"));

    app.ports.set_time(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert_eq!(app.ports.stored().len(), 1, "it does not expire any more");
    let read = ask(&app, Method::GET, "/images/1", &user("7"), &Value::Null);
    assert_eq!(read.json["data"]["userId"], "7");
    assert_eq!(read.json["data"]["formId"], "f");
    assert_eq!(read.json["data"]["originalFilename"], "me.gif", "the name of the upload");
}

#[test]
fn only_own_urls_are_registered() {
    let app = app();
    let key = send(&app, upload(), PIXEL).json["data"]["key"].as_str().expect("stored").to_owned();
    let claim = |body: Value| ask(&app, Method::POST, "/images/metadata", &user("123"), &body);
    for url in [
        format!("https://evil.example/{key}"),
        format!("https://image.the-form.evil.example/{key}"),
        format!("https://image.the-form/{key}?x=1"),
        "https://image.the-form/".to_owned(),
        "not a URL".to_owned(),
    ] {
        assert_eq!(claim(json!({"imageUrl": url})).code(), "INVALID_IMAGE_URL", "{url}");
    }
    assert_eq!(claim(json!({})).code(), "INVALID_IMAGE_URL");
    let url = format!("{BASE_URL}/{key}");
    let own = claim(json!({"imageUrl": url}));
    assert_eq!((own.status, own.json["data"]["imageId"].as_u64()), (StatusCode::OK, Some(1)));
    let missing = key.replace("users/123/images/1", "users/123/images/2");
    assert_eq!(claim(json!({"key": missing})).code(), "IMAGE_NOT_FOUND");
    assert_eq!(claim(json!(["key"])).code(), "MALFORMED_REQUEST");
    let guest = json!({"sub": "g", "role": "GUEST"});
    let refused = ask(&app, Method::POST, "/images/metadata", &guest, &json!({"key": key}));
    assert_eq!(refused.code(), "ROLE_NOT_ALLOWED");
}

#[test]
fn images_are_listed_in_pages_for_their_owner() {
    let app = app();
    for shade in 0..5 {
        send(&app, upload(), &gif(shade));
    }
    let page = |query: &str| {
        ask(&app, Method::GET, &format!("/images?{query}"), &user("123"), &Value::Null)
    };
    let ids = |response: &TestResponse| -> Vec<u64> {
        let images = response.json["data"]["images"].as_array().expect("a list").iter();
        images.map(|image| image["imageId"].as_u64().expect("a number")).collect()
    };
    let first = page("limit=2");
    assert_eq!(ids(&first), [5, 4]);
    assert_eq!(first.json["data"]["nextCursor"], "4");
    let last = page("limit=3&cursor=4");
    assert_eq!(ids(&last), [3, 2, 1]);
    assert_eq!(last.json["data"]["nextCursor"], Value::Null);
    assert_eq!(ids(&page("formId=none")), [0; 0]);
    assert_eq!(page("limit=1000").code(), "MALFORMED_REQUEST");
    assert_eq!(page("userId=124").code(), "USER_MISMATCH");
    for role in ["SERVICE", "ADMIN"] {
        let claims = json!({"sub": "back-end", "role": role});
        let listed = ask(&app, Method::GET, "/images?userId=123&limit=1", &claims, &Value::Null);
        assert_eq!(ids(&listed), [5], "{role}");
    }
    for method in [Method::GET, Method::DELETE] {
        let other = ask(&app, method.clone(), "/images/1", &user("124"), &Value::Null);
        assert_eq!(other.code(), "USER_MISMATCH");
        let missing = ask(&app, method, "/images/99", &user("123"), &Value::Null);
        assert_eq!(missing.code(), "IMAGE_NOT_FOUND");
    }
}

#[test]
fn a_deletion_removes_row_object_and_copies() {
    let app = app();
    let key = send(&app, upload(), PIXEL).json["data"]["key"].as_str().expect("stored").to_owned();
    let path = format!("/{key}");
    send(&app, get(&format!("{path}?v=thumb")), b"");
    let deleted = ask(&app, Method::DELETE, "/images/1", &user("123"), &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
    assert!(app.ports.edge_cache.copies.borrow().is_empty());
    assert_eq!(send(&app, get(&path), b"").code(), "IMAGE_NOT_FOUND");
    let again = send(&app, upload(), PIXEL);
    assert_eq!(again.status, StatusCode::CREATED, "a deleted image is no duplicate");
}

#[test]
fn an_interrupted_deletion_is_finished_later() {
    let app = app();
    send(&app, upload(), PIXEL);
    app.ports.store.broken.set(true);
    let deleted = ask(&app, Method::DELETE, "/images/1", &user("123"), &Value::Null);
    assert_eq!(deleted.status, StatusCode::ACCEPTED, "{}", deleted.json);
    app.ports.store.broken.set(false);
    app.ports.set_time(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

#[test]
fn a_ticket_admits_one_upload_within_its_scope() {
    let app = app_with(&[("REQUIRE_TICKET", "true")]);
    assert_eq!(send(&app, upload(), PIXEL).code(), "TICKET_REQUIRED");
    let own = ask(&app, Method::POST, "/uploads/tickets", &user("123"), &json!({}));
    assert_eq!(own.code(), "ROLE_NOT_ALLOWED", "nobody approves an upload of their own");
    let service = json!({"sub": "back-end", "role": "SERVICE"});
    let issue = |mut body: Value| {
        body["userId"] = json!("123");
        let response = ask(&app, Method::POST, "/uploads/tickets", &service, &body);
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
        assert_eq!(response.json["data"]["expiresIn"], 60);
        response.json["data"]["ticket"].as_str().expect("issued").to_owned()
    };
    let ticket = issue(json!({"formId": "f-1", "contentType": "image/gif", "maxBytes": 1000}));
    let uploaded = send(&app, upload_with(&ticket), PIXEL);
    assert_eq!(uploaded.status, StatusCode::CREATED, "{}", uploaded.json);
    assert_eq!(uploaded.json["data"]["formId"], "f-1");
    assert_eq!(send(&app, upload_with(&ticket), PIXEL).code(), "TICKET_SPENT");
    assert_eq!(
        send(&app, upload_with(&issue(json!({"contentType": "image/png"}))), PIXEL).code(),
        "TICKET_REQUIRED"
    );
    assert_eq!(
        send(&app, upload_with(&issue(json!({"maxBytes": 10}))), PIXEL).code(),
        "FILE_TOO_LARGE"
    );
    let late = issue(json!({}));
    app.ports.set_time(NOW_MS + 60_000);
    assert_eq!(send(&app, upload_with(&late), PIXEL).code(), "TOKEN_EXPIRED");
}

#[test]
fn a_single_use_guest_token_allows_one_upload_and_the_claim_of_its_picture() {
    let app = app_with(&[("GUEST_SINGLE_USE", "true")]);
    let guest = guest_token(&app);
    let uploaded = send(&app, upload_with(&guest), PIXEL);
    assert_eq!(uploaded.status, StatusCode::CREATED, "{}", uploaded.json);
    for bytes in [PIXEL, &gif(9)] {
        let again = send(&app, upload_with(&guest), bytes);
        assert_eq!((again.status, again.code()), (StatusCode::FORBIDDEN, "TICKET_SPENT"));
    }
    let claim = json!({"key": uploaded.json["data"]["key"], "guestToken": guest});
    let claimed = ask(&app, Method::POST, "/images/metadata", &user("123"), &claim);
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);

    let another = guest_token(&app);
    assert_eq!(send(&app, upload_with(&another), PIXEL).status, StatusCode::CREATED);
    // Those of other people, and those issued while the option was off, are no single-use tokens.
    for _ in 0..2 {
        assert_ne!(send(&app, upload(), &gif(8)).code(), "TICKET_SPENT");
    }
    let before = app_with(&[]);
    let guest = guest_token(&before);
    for shade in [1, 2] {
        assert_eq!(send(&before, upload_with(&guest), &gif(shade)).status, StatusCode::CREATED);
    }
}

#[test]
fn of_several_pictures_with_a_single_use_token_the_first_is_stored() {
    let app = app_with(&[("GUEST_SINGLE_USE", "true")]);
    let body = form_of(&[PIXEL, &gif(9)]);
    let request = upload_of("multipart/form-data; boundary=b", &guest_token(&app));
    let response = send(&app, request, &body);
    assert_eq!(response.status, StatusCode::MULTI_STATUS, "{}", response.json);
    assert_eq!(response.json["data"][1]["code"], "TICKET_SPENT", "{}", response.json);
    assert_eq!(app.ports.stored().len(), 1);
}

/// A form with these GIFs.
fn form_of(files: &[&[u8]]) -> Vec<u8> {
    let head = b"--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.gif\"\r\nContent-Type: image/gif\r\n\r\n";
    let parts = files.iter().flat_map(|file| [&head[..], file, b"\r\n"]);
    parts.chain([&b"--b--\r\n"[..]]).flatten().copied().collect()
}

#[test]
fn a_ticket_is_no_token_and_is_issued_to_permitted_callers() {
    let app = app();
    let ask_for =
        |claims: Value, body: Value| ask(&app, Method::POST, "/uploads/tickets", &claims, &body);
    let ticket = ask_for(user("123"), json!({})).json["data"]["ticket"].clone();
    let bearer = format!("Bearer {}", ticket.as_str().expect("issued"));
    let list = send(&app, get("/images").header("authorization", bearer), b"");
    assert_eq!(list.code(), "TOKEN_INVALID");
    assert_eq!(ask_for(json!({"sub": "g", "role": "GUEST"}), json!({})).code(), "ROLE_NOT_ALLOWED");
    assert_eq!(ask_for(user("1"), json!({"userId": "2"})).code(), "USER_MISMATCH");
    assert_eq!(
        ask_for(user("1"), json!({"contentType": "image/heic"})).code(),
        "INVALID_FILE_TYPE"
    );
    assert_eq!(ask_for(user("1"), json!({"maxBytes": 0})).code(), "MALFORMED_REQUEST");
    let service = json!({"sub": "back-end", "role": "SERVICE"});
    let for_user = ask_for(service, json!({"userId": "2"}));
    let ticket = for_user.json["data"]["ticket"].as_str().expect("issued").to_owned();
    let key = send(&app, upload_with(&ticket), PIXEL).json["data"]["key"]
        .as_str()
        .expect("stored")
        .to_owned();
    assert!(key.starts_with("users/2/images/"));
}
