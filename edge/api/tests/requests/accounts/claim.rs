//! The image that was uploaded before the sign-up.

use edge_auth::testing::{NOW_MS, hs256};
use futures_executor::block_on;
use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, bearer, post, post_to, sign_up};
use crate::harness::{
    BASE_URL, PIXEL, TestApp, TestResponse, app, app_with, get, guest_token, respond, send, upload,
    upload_with,
};

/// The token of a new guest, and the key of their image.
fn upload_as_guest(app: &TestApp) -> (String, Value) {
    let token = guest_token(app);
    let key = send(app, upload_with(&token), PIXEL).json["data"]["key"].clone();
    (token, key)
}

fn sign_up_with(app: &TestApp, email: &str, key: &Value, token: &str) -> TestResponse {
    let body = json!({"email": email, "password": PASSWORD, "imageKey": key, "guestToken": token});
    post(app, "/users/signup", &[], &body)
}

#[test]
fn the_image_of_a_guest_becomes_the_profile_image() {
    let app = app();
    let (token, key) = upload_as_guest(&app);
    let signed_up = sign_up_with(&app, "ann@example.org", &key, &token);
    assert_eq!(signed_up.status, StatusCode::CREATED, "{}", signed_up.json);
    let user = &signed_up.json["data"]["user"];
    assert_eq!(user["profileImageKey"], key);
    let url = format!("{BASE_URL}/{}", key.as_str().expect("text"));
    assert_eq!(user["profileImageUrl"], url);
    let rows = app.ports.registry.rows.borrow();
    assert_eq!((rows.len(), rows[0].owner.as_str()), (1, user["id"].as_str().expect("text")));
    drop(rows);
    app.ports.set_time(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert_eq!(app.ports.stored().len(), 1, "it does not expire any more");
}

#[test]
fn a_pending_image_is_named_by_number_key_or_url_and_its_guest_by_the_token_of_the_request() {
    for name in ["imageId", "imageKey", "imageUrl"] {
        let app = app();
        let token = guest_token(&app);
        let image = send(&app, upload_with(&token), PIXEL).json["data"].clone();
        let value = if name == "imageKey" { &image["key"] } else { &image[name] };
        let body = json!({"email": "ann@example.org", "password": PASSWORD, name: value});
        let authorization = format!("Bearer {token}");
        let sign_up =
            |bearer: &str| post(&app, "/users/signup", &[("authorization", bearer)], &body);
        let stranger = format!("Bearer {}", guest_token(&app));
        let refused = sign_up(&stranger);
        assert!(["USER_MISMATCH", "IMAGE_NOT_FOUND"].contains(&refused.code()), "{}", refused.json);
        assert_eq!(post(&app, "/users/signup", &[], &body).code(), "USER_MISMATCH", "no token");
        app.ports.users.cut_off.set(true);
        assert_eq!(sign_up(&authorization).code(), "BUSY");
        // The image is claimed by then, and has the same number still.
        let signed_up = sign_up(&authorization);
        assert_eq!(signed_up.status, StatusCode::CREATED, "{name}: {}", signed_up.json);
        assert_eq!(signed_up.json["data"]["user"]["profileImageKey"], image["key"]);
        assert_eq!(app.ports.registry.keys().len(), 1);
    }
    let app = app();
    let authorization = format!("Bearer {}", guest_token(&app));
    for (wrong, code) in [
        (json!({"imageUrl": "https://evil.example/x"}), "INVALID_IMAGE_URL"),
        (json!({"imageId": 1, "imageKey": "x"}), "INVALID_IMAGE_URL"),
        (json!({"imageId": NOW_MS * 1000}), "IMAGE_NOT_FOUND"),
        (json!({"imageId": 7}), "IMAGE_NOT_FOUND"),
        (json!({"image": 7}), "MALFORMED_REQUEST"),
    ] {
        let mut body = json!({"email": "ann@example.org", "password": PASSWORD});
        body.as_object_mut().expect("an object").extend(wrong.as_object().expect("one").clone());
        let refused = post(&app, "/users/signup", &[("authorization", &authorization)], &body);
        assert_eq!(refused.code(), code, "{wrong}");
    }
}

#[test]
fn an_interrupted_sign_up_can_be_repeated() {
    let app = app();
    let (token, key) = upload_as_guest(&app);
    app.ports.users.cut_off.set(true);
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "BUSY");
    assert!(app.ports.users.users.borrow().is_empty(), "there is no account");
    assert_eq!(app.ports.registry.keys().len(), 1, "the image is claimed");
    let again = sign_up_with(&app, "ann@example.org", &key, &token);
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.json);
    assert_eq!(again.json["data"]["user"]["profileImageKey"], key);
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "EMAIL_TAKEN");
    let twice = sign_up_with(&app, "bob@example.org", &key, &token);
    assert_eq!(twice.code(), "IMAGE_ALREADY_REGISTERED", "one image, one account");
    assert_eq!(app.ports.users.users.borrow().len(), 1);
}

#[test]
fn a_claim_whose_database_reply_was_lost_can_be_repeated() {
    let app = app();
    let (token, key) = upload_as_guest(&app);
    app.ports.registry.silent.set(true);
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "BUSY");
    app.ports.registry.silent.set(false);
    let again = sign_up_with(&app, "ann@example.org", &key, &token);
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.json);
}

/// Sends concurrent sign-ups.
fn race(app: &TestApp, bodies: &[Value]) -> Vec<(StatusCode, String)> {
    let signing_up = bodies.iter().map(|body| async {
        let request = post_to("/users/signup").header("content-type", "application/json");
        let response = respond(app, request, body.to_string().as_bytes()).await;
        (response.status, response.code().to_owned())
    });
    block_on(join_all(signing_up))
}

#[test]
fn of_concurrent_sign_ups_for_one_address_one_wins_and_the_other_images_stay_claimable() {
    let app = app();
    let images = [(); 3].map(|()| upload_as_guest(&app));
    // While one claims, the others run.
    app.ports.registry.slow.set(3);
    let body = |more: Value| {
        let mut body = json!({"email": "ann@example.org", "password": PASSWORD});
        body.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        body
    };
    let bodies =
        images.each_ref().map(|(token, key)| body(json!({"imageKey": key, "guestToken": token})));
    let ends = race(&app, &[&bodies[..], &[body(json!({}))]].concat());
    let won: Vec<_> = (0..4).filter(|n| ends[*n].0 == StatusCode::CREATED).collect();
    assert_eq!(won.len(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|(_, code)| code == "EMAIL_TAKEN").count(), 3, "{ends:?}");
    assert_eq!(app.ports.users.users.borrow().len(), 1);
    assert!(app.ports.users.reservations.borrow().is_empty());
    let user = hs256(json!({"sub": "7"}), 60);
    for (n, (token, key)) in images.iter().enumerate() {
        let body = json!({"key": key, "guestToken": token});
        let bearer = format!("Bearer {user}");
        let claimed = post(&app, "/images/metadata", &[("authorization", &bearer)], &body);
        let expected = if won == [n] { "IMAGE_ALREADY_REGISTERED" } else { "none" };
        assert_eq!(claimed.code(), expected, "{}", claimed.json);
    }
}

#[test]
fn an_interrupted_sign_up_reserves_its_address_until_the_guest_token_expires() {
    let app = app();
    let (token, key) = upload_as_guest(&app);
    app.ports.users.cut_off.set(true);
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "BUSY");
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let other = || post(&app, "/users/signup", &[], &body);
    assert_eq!(other().code(), "EMAIL_TAKEN");
    app.ports.set_time(NOW_MS + 359_999);
    assert_eq!(other().code(), "EMAIL_TAKEN");
    app.ports.set_time(NOW_MS + 360_000);
    assert_eq!(other().status, StatusCode::CREATED);
}

#[test]
fn a_refused_claim_leaves_the_address_free() {
    let app = app();
    let (token, key) = upload_as_guest(&app);
    let missing = Value::from(key.as_str().expect("text").replace("images/1", "images/2"));
    assert_eq!(sign_up_with(&app, "ann@example.org", &missing, &token).code(), "IMAGE_NOT_FOUND");
    sign_up(&app, "ann@example.org");
    // A sign-up for a taken address claims nothing either.
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "EMAIL_TAKEN");
    assert_eq!(sign_up_with(&app, "bob@example.org", &key, &token).status, StatusCode::CREATED);
}

#[test]
fn without_the_image_there_is_no_account() {
    let app = app();
    let token = guest_token(&app);
    let other = guest_token(&app);
    let key = send(&app, upload_with(&token), PIXEL).json["data"]["key"].clone();
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
        assert_eq!(sign_up_with(&app, "ann@example.org", key, token).code(), code, "{key}");
    }
    let body = json!({"email": "ann@example.org", "password": PASSWORD, "imageKey": key});
    assert_eq!(post(&app, "/users/signup", &[], &body).code(), "USER_MISMATCH");
    app.ports.set_time(NOW_MS + 300_000 + 31_000);
    assert_eq!(sign_up_with(&app, "ann@example.org", &key, &token).code(), "TOKEN_EXPIRED");
    assert!(app.ports.users.users.borrow().is_empty());
}

#[test]
fn a_registered_image_of_a_guest_is_transferred() {
    let app = app_with(&[("PENDING_ROLES", "NONE")]);
    let token = guest_token(&app);
    let id = send(&app, upload_with(&token), PIXEL).json["data"]["imageId"].clone();
    let body = |email: &str| json!({"email": email, "password": PASSWORD, "imageId": id, "guestToken": token});
    let signed_up = post(&app, "/users/signup", &[], &body("ann@example.org"));
    assert_eq!(signed_up.status, StatusCode::CREATED, "{}", signed_up.json);
    let user = signed_up.json["data"]["user"]["id"].as_str().expect("text").to_owned();
    assert_eq!(app.ports.registry.rows.borrow()[0].owner, user);
    let deleted = send(
        &app,
        get("/images/1").method(Method::DELETE).header("authorization", bearer(&signed_up)),
        b"",
    );
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    let path = format!("/users/{user}");
    let read = send(&app, get(&path).header("authorization", bearer(&signed_up)), b"");
    assert_eq!(read.json["data"]["profileImageUrl"], Value::Null, "{}", read.json);
}
