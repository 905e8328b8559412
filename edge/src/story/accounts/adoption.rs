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

/// Asks for an account at the same time for each of these bodies.
fn race(app: &App<World>, bodies: &[Value]) -> Vec<(StatusCode, String)> {
    let asking = bodies.iter().map(|body| async {
        let request = Request::builder()
            .method(Method::POST)
            .uri("https://image.the-form/users/signup")
            .header("content-type", "application/json");
        let (head, ()) = request.body(()).expect("valid").into_parts();
        let chunk: std::io::Result<Vec<u8>> = Ok(body.to_string().into_bytes());
        let (head, body) = serve(app, &head, stream::iter([chunk])).await.into_parts();
        let Body::Bytes(bytes) = body else { panic!("JSON") };
        let json: Value = serde_json::from_slice(&bytes).expect("JSON");
        (head.status, json["code"].as_str().unwrap_or("none").to_owned())
    });
    block_on(futures_util::future::join_all(asking))
}

#[test]
fn who_loses_the_race_for_an_address_keeps_nothing_and_their_picture_can_be_claimed() {
    let app = app();
    let pictures = [0, 1, 2].map(|_| {
        let (token, _) = guest(&app);
        let key = upload_with(&app, &token).json["data"]["key"].clone();
        (token, key)
    });
    // While one claims, the others get their turn.
    app.ports.registry.slow.set(3);
    let body = |more: Value| {
        let mut body = json!({"email": "ann@example.org", "password": PASSWORD});
        body.as_object_mut().expect("object").extend(more.as_object().expect("object").clone());
        body
    };
    let bodies =
        pictures.each_ref().map(|(token, key)| body(json!({"imageKey": key, "guestToken": token})));
    let ends = race(&app, &[&bodies[..], &[body(json!({}))]].concat());
    let won: Vec<_> = (0..4).filter(|n| ends[*n].0 == StatusCode::CREATED).collect();
    assert_eq!(won.len(), 1, "{ends:?}");
    assert_eq!(ends.iter().filter(|(_, code)| code == "EMAIL_TAKEN").count(), 3, "{ends:?}");
    assert_eq!(app.ports.accounts.users.borrow().len(), 1);
    assert!(app.ports.accounts.reservations.borrow().is_empty());
    let user = hs256(json!({"sub": "7"}), 60);
    for (n, (token, key)) in pictures.iter().enumerate() {
        let body = json!({"key": key, "guestToken": token});
        let bearer = format!("Bearer {user}");
        let claimed = post(&app, "/images/metadata", &[("authorization", &bearer)], &body);
        let expected = if won == [n] { "IMAGE_ALREADY_REGISTERED" } else { "none" };
        assert_eq!(claimed.code(), expected, "{}", claimed.json);
    }
}

#[test]
fn an_address_stays_reserved_for_who_was_cut_off_and_is_free_again_after_their_token() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    app.ports.accounts.cut_off.set(true);
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "BUSY");
    let body = json!({"email": "ann@example.org", "password": PASSWORD});
    let other = || post(&app, "/users/signup", &[], &body);
    assert_eq!(other().code(), "EMAIL_TAKEN");
    app.ports.clock_ms.set(NOW_MS + 359_999);
    assert_eq!(other().code(), "EMAIL_TAKEN");
    app.ports.clock_ms.set(NOW_MS + 360_000);
    assert_eq!(other().status, StatusCode::CREATED);
}

#[test]
fn a_refused_claim_leaves_the_address_free() {
    let app = app();
    let (token, _) = guest(&app);
    let key = upload_with(&app, &token).json["data"]["key"].clone();
    let missing = Value::from(key.as_str().expect("text").replace("images/1", "images/2"));
    assert_eq!(adopt(&app, "ann@example.org", &missing, &token).code(), "IMAGE_NOT_FOUND");
    sign_up(&app, "ann@example.org");
    // Whose address is taken claims nothing either.
    assert_eq!(adopt(&app, "ann@example.org", &key, &token).code(), "EMAIL_TAKEN");
    assert_eq!(adopt(&app, "bob@example.org", &key, &token).status, StatusCode::CREATED);
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
