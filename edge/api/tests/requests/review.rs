//! Held pictures: the queue, the decisions, and what the uploader sees.

use edge_api::jobs;
use edge_auth::{UrlPurpose, testing::NOW_MS};
use edge_registry::Review;
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::{
    delivery::{PHOTO, size_of},
    harness::{BASE_URL, TestApp, TestResponse, app_with, ask, guest_token, user_token},
    private::{KEY, path, put_form, read, send_file, send_picture, signed, text, upload},
};

fn held_app(policy: &Value) -> TestApp {
    let app = app_with(&[("URL_SIGNING_KEY", KEY), ("SWEEP_REPAIR", "remove")]);
    put_form(&app, policy);
    app
}

fn service() -> Value {
    json!({"sub": "back-end", "role": "SERVICE"})
}

fn decide(app: &TestApp, id: u64, action: &str, body: &Value) -> TestResponse {
    ask(app, Method::POST, &format!("/images/{id}/{action}"), &service(), body)
}

fn record(app: &TestApp, id: u64) -> Value {
    let record = ask(app, Method::GET, &format!("/images/{id}"), &service(), &Value::Null);
    record.json["data"].clone()
}

/// The numbers of the pictures in the queue.
fn queue(app: &TestApp, query: &str) -> Vec<u64> {
    let path = format!("/images?review=held{query}");
    let list = ask(app, Method::GET, &path, &service(), &Value::Null);
    let images = list.json["data"]["images"].as_array().expect("a list").iter();
    images.map(|image| image["imageId"].as_u64().expect("a number")).collect()
}

#[test]
fn a_held_picture_has_its_key_and_is_read_by_signature_until_it_is_released() {
    let app = held_app(&json!({"review": "held"}));
    let data = upload(&app, &user_token(), 0);
    let key = text(&data["key"]);
    assert!(key.starts_with("users/123/images/"), "{key}");
    assert_eq!(app.ports.stored(), [format!("private/{key}")]);
    let expected = (&json!("held"), &json!("public"));
    assert_eq!((&data["review"], &data["visibility"]), expected);
    let public = format!("/{key}");
    let signed = path(text(&data["signedUrl"])).to_owned();
    assert_eq!(read(&app, &public).code(), "IMAGE_NOT_FOUND");
    assert_eq!(
        read(&app, &format!("{public}?{}", signed.split_once('?').expect("a query").1)).code(),
        "SIGNATURE_INVALID"
    );
    assert_eq!(read(&app, &signed).status, StatusCode::OK);
    assert_eq!(record(&app, 1)["imageUrl"], format!("{BASE_URL}{public}"));
    assert_eq!(
        read(&app, path(text(&record(&app, 1)["signedThumbnailUrl"]))).status,
        StatusCode::OK
    );

    let released = decide(&app, 1, "release", &Value::Null);
    assert_eq!(
        (released.status, &released.json["message"]),
        (StatusCode::OK, &json!("review_image_success"))
    );
    assert_eq!(app.ports.stored(), [key]);
    assert_eq!(read(&app, &public).status, StatusCode::OK);
    assert_eq!(read(&app, &signed).status, StatusCode::OK, "pages that show it go on");
    let after = record(&app, 1);
    assert_eq!((&after["review"], &after["signedUrl"]), (&json!("released"), &Value::Null));
    for (action, body) in [("release", Value::Null), ("refuse", json!({"reason": "late"}))] {
        let again = decide(&app, 1, action, &body);
        assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "REVIEW_DECIDED"));
    }
    let kinds: Vec<_> = app
        .ports
        .registry
        .events
        .borrow()
        .iter()
        .map(|it| (it.kind.clone(), it.reason.clone()))
        .collect();
    assert_eq!(kinds, [("review".to_owned(), "released".to_owned())]);
}

#[test]
fn the_reason_of_a_refusal_reaches_the_uploader_and_the_form_has_room_again() {
    let app = held_app(&json!({"review": "held", "maxFiles": 1}));
    let data = upload(&app, &user_token(), 0);
    assert_eq!(send_picture(&app, &user_token(), 1).code(), "FORM_FULL");
    for wrong in [
        json!({}),
        json!({"reason": ""}),
        json!({"reason": " "}),
        json!({"reason": "a".repeat(501)}),
        json!({"reason": "a\u{7}"}),
        json!({"reason": 1}),
    ] {
        assert_eq!(decide(&app, 1, "refuse", &wrong).code(), "MALFORMED_REQUEST", "{wrong}");
    }
    let refused = decide(&app, 1, "refuse", &json!({"reason": " 너무 어둡습니다 "}));
    assert_eq!(refused.json["data"]["reviewReason"], "너무 어둡습니다");
    assert!(app.ports.stored().is_empty());
    assert_eq!(read(&app, path(text(&data["signedUrl"]))).code(), "IMAGE_NOT_FOUND");
    let user = json!({"sub": "123"});
    let list = ask(&app, Method::GET, "/images", &user, &Value::Null);
    let seen = &list.json["data"]["images"][0];
    assert_eq!(
        (&seen["review"], &seen["reviewReason"]),
        (&json!("refused"), &json!("너무 어둡습니다"))
    );
    let url = ask(&app, Method::POST, "/images/1/url", &user, &json!({}));
    assert_eq!(url.code(), "IMAGE_NOT_FOUND");
    upload(&app, &user_token(), 1);
    let deleted = ask(&app, Method::DELETE, "/images/1", &user, &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    assert_eq!(record(&app, 1), Value::Null);
}

#[test]
fn the_queue_is_for_reviewers_and_oldest_first() {
    let app = held_app(&json!({"review": "held"}));
    for shade in 0..3 {
        upload(&app, &user_token(), shade);
    }
    assert_eq!(queue(&app, ""), [1, 2, 3]);
    assert_eq!(queue(&app, "&limit=2"), [1, 2]);
    assert_eq!(queue(&app, "&limit=2&cursor=2"), [3]);
    assert_eq!(queue(&app, "&formId=secret&cursor=1"), [2, 3]);
    assert_eq!(queue(&app, "&formId=other"), [0; 0]);
    decide(&app, 2, "release", &Value::Null);
    decide(&app, 1, "refuse", &json!({"reason": "no"}));
    assert_eq!(queue(&app, ""), [3]);
    let user = json!({"sub": "123"});
    let list = ask(&app, Method::GET, "/images?review=held", &user, &Value::Null);
    assert_eq!(list.code(), "USER_MISMATCH");
    for action in ["release", "refuse"] {
        let own =
            ask(&app, Method::POST, &format!("/images/3/{action}"), &user, &json!({"reason": "x"}));
        assert_eq!(own.code(), "ROLE_NOT_ALLOWED", "nobody releases their own picture");
    }
    assert_eq!(decide(&app, 9, "release", &Value::Null).code(), "IMAGE_NOT_FOUND");
}

#[test]
fn a_private_form_may_have_a_review_too() {
    let app = held_app(&json!({"review": "held", "visibility": "private"}));
    let data = upload(&app, &user_token(), 0);
    let key = text(&data["key"]).to_owned();
    assert!(key.starts_with("private/users/"), "{key}");
    decide(&app, 1, "release", &Value::Null);
    assert_eq!(app.ports.stored(), [&*key]);
    assert_eq!(read(&app, path(text(&record(&app, 1)["signedUrl"]))).status, StatusCode::OK);
    assert_eq!(
        read(&app, &format!("/{}", key.replace("private/", ""))).status,
        StatusCode::NOT_FOUND
    );
}

#[test]
fn a_picture_without_a_review_is_not_decided() {
    let app = held_app(&json!({}));
    upload(&app, &user_token(), 0);
    assert_eq!(decide(&app, 1, "release", &Value::Null).code(), "REVIEW_DECIDED");
    assert_eq!(app.ports.stored().len(), 1);
}

#[test]
fn a_guest_picture_is_reviewed_once_it_is_claimed_and_in_its_form_only() {
    let app = held_app(&json!({"review": "held"}));
    let guest = guest_token(&app);
    let key = text(&upload(&app, &guest, 0)["key"]).to_owned();
    assert_eq!(queue(&app, ""), [0; 0]);
    let user = json!({"sub": "7"});
    let claim = |form: &str| {
        let body = json!({"key": key, "guestToken": guest, "formId": form});
        ask(&app, Method::POST, "/images/metadata", &user, &body)
    };
    assert_eq!(claim("unreviewed").code(), "FORM_REQUIRED");
    assert_eq!(claim("secret").status, StatusCode::CREATED);
    assert_eq!(queue(&app, ""), [1]);
    decide(&app, 1, "release", &Value::Null);
    assert_eq!(app.ports.stored(), [key]);
}

#[test]
fn a_decision_that_a_component_interrupts_is_finished_later() {
    let app = held_app(&json!({"review": "held"}));
    let key = text(&upload(&app, &user_token(), 0)["key"]).to_owned();
    app.ports.store.broken.set(true);
    let released = decide(&app, 1, "release", &Value::Null);
    assert_eq!(released.status, StatusCode::ACCEPTED, "{}", released.json);
    app.ports.store.broken.set(false);
    app.ports.set_time(NOW_MS + 60_000);
    block_on(app.ports.ledger.run_alarms());
    assert_eq!(app.ports.stored(), [key]);
}

#[test]
fn deletions_erasures_and_exports_know_held_pictures() {
    let app = held_app(&json!({"review": "held"}));
    for shade in 0..3 {
        upload(&app, &user_token(), shade);
    }
    let export = ask(&app, Method::GET, "/users/123/export", &service(), &Value::Null);
    assert_eq!(export.json["data"]["images"][0]["review"], "held");
    assert_eq!(export.json["data"]["pendingUploads"], json!([]));
    // The ledger has forgotten them a day later.
    app.ports.set_time(NOW_MS + 2 * 86_400_000);
    block_on(app.ports.ledger.run_alarms());
    ask(&app, Method::DELETE, "/images/1", &service(), &Value::Null);
    assert_eq!(app.ports.stored().len(), 2);
    let begun = ask(&app, Method::DELETE, "/users/123", &service(), &Value::Null);
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json);
    block_on(jobs::run_scheduled(&app));
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

#[test]
fn sizes_of_a_held_picture_go_when_it_is_decided() {
    for action in ["release", "refuse"] {
        let app = held_app(&json!({"review": "held"}));
        let key = text(&send_file(&app, &user_token(), "image/jpeg", PHOTO).json["data"]["key"])
            .to_owned();
        let size = |path: &str| {
            signed(KEY, UrlPurpose::Private, path, &format!("exp={}&w=16", NOW_MS / 1000 + 60))
        };
        let held = size(&format!("/private/{key}"));
        let public = format!("/{key}?v=thumb");
        assert_eq!(size_of(&read(&app, &held)), (16, 10));
        assert_eq!(read(&app, &public).code(), "IMAGE_NOT_FOUND");
        assert_eq!(app.ports.stored().len(), 2);
        decide(&app, 1, action, &json!({"reason": "no"}));
        if action == "refuse" {
            assert_eq!(app.ports.stored(), [""; 0]);
            assert_eq!(read(&app, &held).code(), "IMAGE_NOT_FOUND");
            continue;
        }
        assert_eq!(app.ports.stored(), std::slice::from_ref(&key));
        assert_eq!(read(&app, &public).status, StatusCode::OK, "at once");
        assert_eq!(size_of(&read(&app, &held)), (16, 10), "of the public object");
        let folder = format!("derived/{}/", key.trim_end_matches(".jpeg"));
        assert!(app.ports.stored().iter().any(|key| key.starts_with(&folder)));
    }
}

#[test]
fn the_sweep_finds_each_object_where_its_row_says() {
    let app = held_app(&json!({"review": "held"}));
    for shade in 0..3 {
        upload(&app, &user_token(), shade);
    }
    decide(&app, 2, "release", &Value::Null);
    decide(&app, 3, "refuse", &json!({"reason": "no"}));
    app.ports.set_time(NOW_MS + 3 * 86_400_000);
    block_on(app.ports.ledger.run_alarms());
    let before = app.ports.stored();
    let findings = block_on(jobs::sweep(&app)).expect("nothing fails");
    assert_eq!((findings.rows, findings.objects), (3, 2));
    assert!(findings.rows_without_object.is_empty() && findings.objects_without_row.is_empty());
    assert_eq!((app.ports.stored(), app.ports.registry.keys().len()), (before, 3));
    let reviews: Vec<_> = app.ports.registry.rows.borrow().iter().map(|row| row.review).collect();
    assert_eq!(reviews, [Some(Review::Held), Some(Review::Released), Some(Review::Refused)]);
}
