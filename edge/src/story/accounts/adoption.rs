//! The picture that was uploaded before signing up.

use super::*;
use crate::story::images::{guest, upload_with};

fn adopt(app: &App<World>, email: &str, key: &Value, token: &str) -> Outcome {
    let body = json!({"email": email, "password": PASSWORD, "imageKey": key, "guestToken": token});
    post(app, "/users/signup", &[], &body)
}

#[test]
fn a_guests_picture_becomes_the_profile_of_the_account() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    let signed = adopt(&app, "ann@example.org", &key, &token);
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.json);
    let user = &signed.json["data"]["user"];
    assert_eq!(user["profileImageKey"], key);
    let url = format!("https://image.the-form/{}", key.as_str().expect("text"));
    assert_eq!(user["profileImageUrl"], url);
    let rows = app.ports.registry.rows.borrow();
    assert_eq!((rows.len(), rows[0].owner.as_str()), (1, user["id"].as_str().expect("text")));
    drop(rows);
    app.ports.clock_ms.set(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.ring());
    assert_eq!(app.ports.stored().len(), 1, "its expiry was lifted");
}

#[test]
fn whoever_was_cut_off_asks_again_and_goes_on() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    app.ports.accounts.cut_off.set(true);
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "BUSY");
    assert!(app.ports.accounts.users.borrow().is_empty(), "there is no account");
    assert_eq!(app.ports.registry.keys().len(), 1, "the picture is claimed");
    let again = adopt(&app, "ann@example.org", &key, &token);
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.json);
    assert_eq!(again.json["data"]["user"]["profileImageKey"], key);
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "EMAIL_TAKEN");
    let twice = adopt(&app, "bob@example.org", &key, &token);
    assert_eq!(twice.code(), "IMAGE_ALREADY_REGISTERED", "one picture, one account");
    assert_eq!(app.ports.accounts.users.borrow().len(), 1);
}

#[test]
fn a_claim_that_the_registry_did_not_hear_of_goes_on_as_well() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    app.ports.registry.silent.set(true);
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "BUSY");
    app.ports.registry.silent.set(false);
    let again = adopt(&app, "ann@example.org", &key, &token);
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.json);
}

#[test]
fn without_the_picture_there_is_no_account() {
    let app = app();
    let (token, _) = guest(&app);
    let (other, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    let own = send(&app, upload(), PIXEL).json["data"]["key"].clone();
    let missing = Value::from(key.as_str().expect("text").replace("images/1", "images/2"));
    let user = hs256(json!({"sub": "123"}), 60);
    for (key, token, code) in [
        (&key, &*other, "USER_MISMATCH"),
        (&own, &*token, "USER_MISMATCH"),
        (&key, &*user, "TOKEN_INVALID"),
        (&key, "x", "TOKEN_INVALID"),
        (&missing, &*token, "IMAGE_NOT_FOUND"),
        (&json!("../../etc/passwd"), &*token, "INVALID_IMAGE_URL"),
    ] {
        assert_eq!(adopt(&app, "ann@example.org", key, token).code(), code, "{key}");
    }
    let body = json!({"email": "ann@example.org", "password": PASSWORD, "imageKey": key});
    assert_eq!(post(&app, "/users/signup", &[], &body).code(), "USER_MISMATCH");
    app.ports.clock_ms.set(NOW_MS + 300_000 + 31_000);
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "TOKEN_EXPIRED");
    assert!(app.ports.accounts.users.borrow().is_empty());
}

#[test]
fn a_guests_picture_that_is_registered_already_changes_hands() {
    let app = app_with(&[("PENDING_ROLES", "NONE")]);
    let (token, _) = guest(&app);
    let id = upload_with(&app, &token).json["data"]["imageId"].clone();
    let body = |email: &str| json!({"email": email, "password": PASSWORD, "imageId": id, "guestToken": token});
    let signed = post(&app, "/users/signup", &[], &body("ann@example.org"));
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.json);
    let user = signed.json["data"]["user"]["id"].as_str().expect("text").to_owned();
    assert_eq!(app.ports.registry.rows.borrow()[0].owner, user);
    let deleted = send(
        &app,
        get("/images/1").method(Method::DELETE).header("authorization", bearer(&signed)),
        b"",
    );
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    let path = format!("/users/{user}");
    let read = send(&app, get(&path).header("authorization", bearer(&signed)), b"");
    assert_eq!(read.json["data"]["profileImageUrl"], Value::Null, "{}", read.json);
}
