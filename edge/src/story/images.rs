//! Tickets, and pictures once they are registered.

use base64ct::Encoding;
use serde_json::json;

use super::*;

fn ask(app: &App<World>, method: Method, path: &str, claims: &Value, body: &Value) -> Outcome {
    let request = Request::builder()
        .method(method)
        .uri(format!("https://edge.example{path}"))
        .header("authorization", format!("Bearer {}", hs256(claims.clone(), 3600)))
        .header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(app, request, body.as_bytes())
}

fn user(sub: &str) -> Value {
    json!({"sub": sub})
}

/// A guest's token as it is issued here, and who the guest is.
pub(super) fn guest(app: &App<World>) -> (String, String) {
    let outcome = send(app, get("/auth/guest-token"), b"");
    let token = outcome.json["data"]["token"].as_str().expect("issued").to_owned();
    let claims = token.split('.').nth(1).expect("three parts");
    let claims = base64ct::Base64UrlUnpadded::decode_vec(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    (token, claims["sub"].as_str().expect("text").to_owned())
}

pub(super) fn upload_with(app: &App<World>, token: &str) -> Outcome {
    let mut request = upload();
    let bearer = format!("Bearer {token}").parse().expect("text");
    request.headers_mut().expect("valid").insert("authorization", bearer);
    send(app, request, PIXEL)
}

#[test]
fn a_guests_picture_is_adopted_once_by_who_holds_the_guests_token() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    let claim =
        |claims: &Value, body: Value| ask(&app, Method::POST, "/images/metadata", claims, &body);
    assert_eq!(claim(&user("7"), json!({"key": key})).code(), "USER_MISMATCH");
    let (other, _) = guest(&app);
    let stolen = json!({"key": key, "guestToken": other});
    assert_eq!(claim(&user("7"), stolen).code(), "USER_MISMATCH");

    let body = json!({"key": key, "guestToken": token, "formId": "f", "originalFilename": "x.gif"});
    let claimed = claim(&user("7"), body.clone());
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    assert_eq!(claimed.json["message"], "register_image_metadata_success");
    assert_eq!(claimed.json["data"]["imageId"], 1);
    assert_eq!(claim(&user("7"), body.clone()).code(), "IMAGE_ALREADY_REGISTERED");
    assert_eq!(claim(&user("8"), body).code(), "IMAGE_ALREADY_REGISTERED");

    app.ports.clock_ms.set(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.ring());
    assert_eq!(app.ports.stored().len(), 1, "its expiry was lifted");
    let read = ask(&app, Method::GET, "/images/1", &user("7"), &Value::Null);
    assert_eq!(read.json["data"]["userId"], "7");
    assert_eq!(read.json["data"]["formId"], "f");
    assert_eq!(read.json["data"]["originalFilename"], "me.gif", "the name it came with");
}

#[test]
fn only_urls_of_ours_are_registered() {
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
    let url = format!("https://image.the-form/{key}");
    assert_eq!(claim(json!({"imageUrl": url})).code(), "IMAGE_ALREADY_REGISTERED");
    let missing = key.replace("users/123/images/1", "users/123/images/2");
    assert_eq!(claim(json!({"key": missing})).code(), "IMAGE_NOT_FOUND");
    assert_eq!(claim(json!(["key"])).code(), "MALFORMED_REQUEST");
    let guest = json!({"sub": "g", "role": "GUEST"});
    let refused = ask(&app, Method::POST, "/images/metadata", &guest, &json!({"key": key}));
    assert_eq!(refused.code(), "ROLE_NOT_ALLOWED");
}

#[test]
fn pictures_are_listed_page_by_page_and_reached_by_whose_they_are() {
    let app = app();
    for shade in 0..5 {
        send(&app, upload(), &picture(shade));
    }
    let page = |query: &str| {
        ask(&app, Method::GET, &format!("/images?{query}"), &user("123"), &Value::Null)
    };
    let ids = |outcome: &Outcome| -> Vec<u64> {
        let images = outcome.json["data"]["images"].as_array().expect("a list").iter();
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
fn deleting_takes_row_object_and_copies() {
    let app = app();
    let key = send(&app, upload(), PIXEL).json["data"]["key"].as_str().expect("stored").to_owned();
    let path = format!("/{key}");
    send(&app, get(&format!("{path}?v=thumb")), b"");
    let deleted = ask(&app, Method::DELETE, "/images/1", &user("123"), &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
    assert!(app.ports.copies.kept.borrow().is_empty());
    assert_eq!(send(&app, get(&path), b"").code(), "IMAGE_NOT_FOUND");
    let again = send(&app, upload(), PIXEL);
    assert_eq!(again.status, StatusCode::CREATED, "what was deleted is not the same picture");
}

#[test]
fn what_could_not_be_deleted_is_finished_later() {
    let app = app();
    send(&app, upload(), PIXEL);
    app.ports.store.broken.set(true);
    let deleted = ask(&app, Method::DELETE, "/images/1", &user("123"), &Value::Null);
    assert_eq!(deleted.status, StatusCode::ACCEPTED, "{}", deleted.json);
    app.ports.store.broken.set(false);
    app.ports.clock_ms.set(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.ring());
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

#[test]
fn a_ticket_is_good_for_one_upload_within_what_was_agreed() {
    let app = app_with(&[("REQUIRE_TICKET", "true")]);
    assert_eq!(send(&app, upload(), PIXEL).code(), "TICKET_REQUIRED");
    let issue = |body: Value| {
        let outcome = ask(&app, Method::POST, "/uploads/tickets", &user("123"), &body);
        assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
        assert_eq!(outcome.json["data"]["expiresIn"], 60);
        outcome.json["data"]["ticket"].as_str().expect("issued").to_owned()
    };
    let ticket = issue(json!({"formId": "f-1", "contentType": "image/gif", "maxBytes": 1000}));
    let uploaded = upload_with(&app, &ticket);
    assert_eq!(uploaded.status, StatusCode::CREATED, "{}", uploaded.json);
    assert_eq!(uploaded.json["data"]["formId"], "f-1");
    assert_eq!(upload_with(&app, &ticket).code(), "TICKET_SPENT");
    assert_eq!(
        upload_with(&app, &issue(json!({"contentType": "image/png"}))).code(),
        "TICKET_REQUIRED"
    );
    assert_eq!(upload_with(&app, &issue(json!({"maxBytes": 10}))).code(), "FILE_TOO_LARGE");
    let late = issue(json!({}));
    app.ports.clock_ms.set(NOW_MS + 60_000);
    assert_eq!(upload_with(&app, &late).code(), "TOKEN_EXPIRED");
}

#[test]
fn a_ticket_opens_nothing_else_and_is_issued_to_whom_it_may() {
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
    let key = upload_with(&app, &ticket).json["data"]["key"].as_str().expect("stored").to_owned();
    assert!(key.starts_with("users/2/images/"));
}

#[test]
fn a_sweep_finds_what_should_not_be_there_and_mends_it_when_told_to() {
    for (variables, repaired) in [(&[][..], false), (&[("SWEEP_REPAIR", "true")][..], true)] {
        let app = app_with(variables);
        let lost = send(&app, upload(), &picture(1)).json["data"]["key"].clone();
        send(&app, upload(), &picture(2));
        let guest = json!({"sub": "g", "role": "GUEST"});
        send(&app, upload_as(&guest), &picture(3));
        let lost = lost.as_str().expect("stored").to_owned();
        app.ports.store.objects.borrow_mut().remove(&lost);
        let orphan = "users/9/images/1-00000000-0000-4000-8000-000000000000.gif".to_owned();
        app.ports.store.objects.borrow_mut().insert(orphan.clone(), PIXEL.to_vec());
        app.ports.store.objects.borrow_mut().insert("another/thing".to_owned(), vec![]);
        app.ports.clock_ms.set(NOW_MS + 301_000);

        let findings = block_on(crate::sweep::sweep(&app)).expect("all answer");
        assert_eq!(findings.rows_without_object, std::slice::from_ref(&lost));
        assert_eq!(findings.objects_without_row, std::slice::from_ref(&orphan));
        assert_eq!(app.ports.registry.events.borrow().len(), 1);
        assert_eq!(app.ports.registry.keys().contains(&lost), !repaired);
        assert_eq!(app.ports.stored().contains(&orphan), !repaired);
        assert_eq!(app.ports.stored().len(), if repaired { 3 } else { 4 });
        let second = block_on(crate::sweep::sweep(&app)).expect("all answer");
        assert_eq!(second.objects_without_row.is_empty(), repaired);
    }
}
