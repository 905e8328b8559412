//! Events for the back end, through whole requests: one test for each event and cause, signatures, answers, and what
//! administrators see.

use base64ct::{Base64, Encoding};
use edge_api::jobs;
use edge_auth::testing::{NOW_MS, hs256};
use edge_types::{RemovalId, timestamp};
use futures_executor::block_on;
use hmac::{Hmac, Mac};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::harness::{
    Delivery, PIXEL, TestApp, TestResponse, app, app_with, form_body, get, gif, guest_token, send,
    upload_of, upload_with,
};

const URL: &str = "https://api.example/hooks";
const SECRETS: [&str; 2] = ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"];
const HOUR_MS: u64 = 3_600_000;

fn eventful() -> TestApp {
    eventful_with(&[])
}

fn eventful_with(more: &[(&str, &str)]) -> TestApp {
    let secret = SECRETS.map(|secret| format!("whsec_{secret}")).join(" ");
    let variables = [("WEBHOOK_URL", URL), ("WEBHOOK_SECRET", &*secret)];
    app_with(&[more, &variables].concat())
}

fn ask(app: &TestApp, claims: &Value, method: Method, path: &str, body: &Value) -> TestResponse {
    let request = get(path)
        .method(method)
        .header("authorization", format!("Bearer {}", hs256(claims.clone(), 40 * 86_400)))
        .header("content-type", "application/json");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(app, request, body.as_bytes())
}

fn service() -> Value {
    json!({"sub": "api", "role": "SERVICE"})
}

fn boss() -> Value {
    json!({"sub": "boss", "role": "ADMIN"})
}

fn user(sub: &str) -> String {
    hs256(json!({"sub": sub}), 40 * 86_400)
}

fn upload(app: &TestApp, token: &str, form: &str, shades: &[u8]) -> TestResponse {
    let sent =
        send(app, upload_of("multipart/form-data; boundary=b", token), &form_body(form, shades));
    assert!(sent.status.is_success(), "{}", sent.json);
    sent
}

/// What runs after responses, and the alarms.
fn work(app: &TestApp) {
    for _ in 0..6 {
        if let Some(after) = jobs::AfterResponse::plan(app) {
            block_on(after.run(app));
        }
        block_on(app.ports.ledger.run_alarms());
    }
}

/// Checks a signature as a receiver does, at the time of its arrival.
fn verify(delivery: &Delivery) {
    let (id, at) = (&delivery.headers["webhook-id"], &delivery.headers["webhook-timestamp"]);
    let at_s: u64 = at.parse().expect("a number");
    assert!((delivery.at_ms / 1000).abs_diff(at_s) <= 300, "too old");
    let signed = format!("{id}.{at}.{}", delivery.body);
    let signatures = SECRETS.map(|secret| {
        let key = Base64::decode_vec(secret).expect("base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
        mac.update(signed.as_bytes());
        format!("v1,{}", Base64::encode_string(&mac.finalize().into_bytes()))
    });
    assert_eq!(delivery.headers["webhook-signature"], signatures.join(" "));
}

/// The events since the last call.
fn events(app: &TestApp) -> Vec<Value> {
    work(app);
    let deliveries = app.ports.back_end.deliveries.take();
    let event = |delivery: &Delivery| {
        verify(delivery);
        assert_eq!(delivery.url, URL);
        serde_json::from_str(&delivery.body).expect("JSON")
    };
    deliveries.iter().map(event).collect()
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("text")).collect()
}

#[test]
fn an_upload_is_an_event_and_its_repetition_is_none() {
    let app = eventful();
    let stored = upload(&app, &user("1"), "f", &[1]);
    upload(&app, &user("1"), "f", &[1]);
    let sent = events(&app);
    assert_eq!(types(&sent), ["image.stored"]);
    let (event, data) = (&sent[0]["data"], &stored.json["data"]);
    for name in [
        "imageId",
        "key",
        "imageUrl",
        "formId",
        "contentType",
        "fileSize",
        "width",
        "height",
        "sha256",
        "placeholder",
        "removed",
        "originalFilename",
        "expiresAt",
    ] {
        assert_eq!(event[name], data[name], "{name}");
    }
    assert_eq!(event["userId"], "1");
    assert_eq!(data.get("serverData"), None);
}

#[test]
fn each_picture_of_a_form_with_several_is_an_event() {
    let app = eventful();
    upload(&app, &user("1"), "f", &[1, 2, 3]);
    assert_eq!(types(&events(&app)), ["image.stored"; 3]);
}

#[test]
fn a_back_end_gets_only_what_it_chose() {
    let app = eventful_with(&[("WEBHOOK_EVENTS", "image.deleted")]);
    let stored = upload(&app, &user("1"), "f", &[1]);
    let key = stored.json["data"]["key"].as_str().expect("text");
    ask(&app, &service(), Method::DELETE, &format!("/images?key={key}"), &Value::Null);
    assert_eq!(types(&events(&app)), ["image.deleted"]);
}

#[test]
fn a_claim_by_the_back_end_and_the_expiry_of_what_nobody_claims() {
    let app = eventful();
    let tokens = [guest_token(&app), guest_token(&app)];
    let keys = [1, 2].map(|shade| {
        let token = &tokens[usize::from(shade) - 1];
        let stored = send(&app, upload_with(token), &gif(shade));
        stored.json["data"]["key"].as_str().expect("stored").to_owned()
    });
    let stored = events(&app);
    assert_eq!(types(&stored), ["image.stored"; 2]);
    assert!(stored[0]["data"]["expiresAt"].is_string() && stored[0]["data"]["imageId"].is_null());
    let claim = json!({"key": keys[0], "userId": "ann"});
    ask(&app, &service(), Method::POST, "/images/metadata", &claim);
    let claimed = events(&app);
    assert_eq!(types(&claimed), ["image.claimed"]);
    assert_eq!(claimed[0]["data"]["userId"], "ann");
    assert_eq!(claimed[0]["data"]["key"], keys[0]);
    app.ports.clock.advance(2 * HOUR_MS);
    let expired = events(&app);
    assert_eq!(types(&expired), ["image.expired"]);
    assert_eq!(expired[0]["data"]["key"], keys[1]);
}

#[test]
fn a_deletion_by_the_owner_an_administrator_and_in_a_batch_has_the_record_as_it_was() {
    let app = eventful();
    let ids = [1, 2, 3].map(|shade| {
        let stored = upload(&app, &user("1"), "f", &[shade]);
        stored.json["data"]["imageId"].clone()
    });
    let stored = events(&app);
    let path = |id: &Value| format!("/images/{id}");
    ask(&app, &json!({"sub": "1"}), Method::DELETE, &path(&ids[0]), &Value::Null);
    ask(&app, &boss(), Method::DELETE, &path(&ids[1]), &Value::Null);
    ask(&app, &service(), Method::POST, "/images/delete", &json!({"ids": [ids[2]]}));
    let deleted = events(&app);
    assert_eq!(types(&deleted), ["image.deleted"; 3]);
    for (deleted, stored) in deleted.iter().zip(&stored) {
        assert_eq!(deleted["data"], stored["data"]);
    }
}

#[test]
fn a_sign_up_with_a_picture_and_one_without() {
    let app = eventful();
    let token = guest_token(&app);
    let key = send(&app, upload_with(&token), PIXEL).json["data"]["key"].clone();
    let sign_up = |email: &str, more: Value| {
        let mut body = json!({"email": email, "password": "correct horse battery"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        let request =
            get("/users/signup").method(Method::POST).header("content-type", "application/json");
        let response = send(&app, request, body.to_string().as_bytes());
        assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
        response.json["data"]["user"]["id"].clone()
    };
    let with = sign_up("ann@example.org", json!({"imageKey": key, "guestToken": token}));
    let without = sign_up("bob@example.org", json!({}));
    let sent = events(&app);
    let mut types = types(&sent);
    types.sort_unstable();
    assert_eq!(types, ["image.claimed", "image.stored", "user.signed_up", "user.signed_up"]);
    for id in [with, without] {
        let expected = json!({"userId": id});
        let is_it = |event: &&Value| event["type"] == "user.signed_up" && event["data"] == expected;
        assert_eq!(sent.iter().filter(is_it).count(), 1, "{id}");
    }
    assert!(app.ports.registry.webhook_events.borrow().is_empty(), "ledgers have them");
}

#[test]
fn a_picture_that_the_ledger_has_forgotten_is_claimed_by_a_sign_up() {
    let app = eventful_with(&[("PENDING_ROLES", "NONE"), ("GUEST_TOKEN_S", "86400")]);
    let token = guest_token(&app);
    let stored = send(&app, upload_with(&token), PIXEL);
    let (key, id) = (&stored.json["data"]["key"], &stored.json["data"]["imageId"]);
    events(&app);
    let body = json!({
        "email": "ann@example.org", "password": "correct horse battery",
        "imageKey": key, "guestToken": token,
    });
    let request =
        get("/users/signup").method(Method::POST).header("content-type", "application/json");
    let signed_up = send(&app, request, body.to_string().as_bytes());
    let sent = events(&app);
    let claimed = sent.iter().find(|event| event["type"] == "image.claimed").expect("claimed");
    assert_eq!(claimed["data"]["userId"], signed_up.json["data"]["user"]["id"]);
    assert_eq!((&claimed["data"]["key"], &claimed["data"]["imageId"]), (key, id));
}

#[test]
fn an_erasure_deletes_the_pictures_and_then_the_user() {
    let app = eventful();
    upload(&app, &user("1"), "f", &[1, 2]);
    let token = guest_token(&app);
    let key = send(&app, upload_with(&token), &gif(3)).json["data"]["key"].clone();
    let claim = json!({"key": key, "userId": "1"});
    ask(&app, &service(), Method::POST, "/images/metadata", &claim);
    events(&app);
    let begun = ask(&app, &service(), Method::DELETE, "/users/1", &Value::Null);
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json);
    let (erased, deleted): (Vec<_>, Vec<_>) =
        events(&app).into_iter().partition(|event| event["type"] == "user.erased");
    assert_eq!(erased.len(), 1, "{erased:?}");
    assert_eq!(erased[0]["data"], json!({"userId": "1"}));
    assert_eq!(types(&deleted), ["image.deleted"; 3]);
    // The picture that names its guest: that ledger forgets nothing by itself.
    let guests = deleted.iter().find(|event| event["data"]["key"] == key).expect("deleted");
    assert_eq!(guests["data"].as_object().map(serde_json::Map::len), Some(3), "{guests}");
    let id = begun.json["data"]["id"].as_str().and_then(RemovalId::parse).expect("an id");
    assert!(app.ports.registry.removals.borrow().iter().any(|row| row.removal.id == id));
}

#[test]
fn failed_events_are_exported_and_keep_nothing_but_ids_after_an_erasure() {
    let app = eventful();
    app.ports.back_end.answers.borrow_mut().extend([(500, String::new())]);
    upload(&app, &user("1"), "f", &[1]);
    events(&app);
    assert!(app.ports.registry.webhook_events.borrow()[0].record.body.contains("sha256"));
    let export = ask(&app, &service(), Method::GET, "/users/1/export", &Value::Null);
    let kept = &export.json["data"]["undeliveredEvents"];
    assert_eq!(kept.as_array().map(Vec::len), Some(1));
    assert_eq!(kept[0]["event"]["type"], "image.stored");
    assert_eq!(kept[0]["event"]["data"]["userId"], "1");
    let other = ask(&app, &service(), Method::GET, "/users/2/export", &Value::Null);
    assert_eq!(other.json["data"]["undeliveredEvents"], json!([]));
    ask(&app, &service(), Method::DELETE, "/users/1", &Value::Null);
    work(&app);
    let rows = app.ports.registry.webhook_events.borrow();
    assert!(rows.iter().all(|row| !row.record.body.contains("sha256")), "{rows:?}");
}

#[test]
fn a_ban_and_its_end_by_an_administrator() {
    let app = eventful();
    let ban = json!({"account": "user:7", "seconds": 60, "reason": "spam"});
    assert_eq!(ask(&app, &boss(), Method::POST, "/admin/api/bans", &ban).status, 201);
    ask(&app, &boss(), Method::DELETE, "/admin/api/bans/user:7", &Value::Null);
    let sent = events(&app);
    assert_eq!(types(&sent), ["user.banned", "user.unbanned"]);
    let banned =
        json!({"userId": "7", "reason": "spam", "bannedUntil": timestamp(NOW_MS + 60_000)});
    assert_eq!(sent[0]["data"], banned);
}

#[test]
fn a_repetition_after_hours_has_the_same_id_and_body_and_a_signature_of_its_own() {
    let app = eventful();
    app.ports.back_end.answers.borrow_mut().extend([(500, String::new()), (302, String::new())]);
    upload(&app, &user("1"), "f", &[1]);
    for _ in 0..10 {
        work(&app);
        app.ports.clock.advance(HOUR_MS / 2);
    }
    let deliveries = app.ports.back_end.deliveries.take();
    assert_eq!(deliveries.len(), 3, "{deliveries:?}");
    deliveries.iter().for_each(verify);
    for delivery in &deliveries {
        assert_eq!(delivery.headers["webhook-id"], deliveries[0].headers["webhook-id"]);
        assert_eq!(delivery.body, deliveries[0].body);
    }
    assert!(deliveries[2].at_ms - deliveries[0].at_ms > 300_000);
}

fn webhooks(app: &TestApp) -> Value {
    ask(app, &boss(), Method::GET, "/admin/api/webhooks", &Value::Null).json["data"].clone()
}

#[test]
fn administrators_see_what_fails_and_send_it_again() {
    let app = eventful();
    assert_eq!(webhooks(&app)["endpoint"]["state"], "works");
    assert_eq!(webhooks(&app)["endpoint"]["host"], "api.example");
    app.ports.back_end.answers.borrow_mut().extend(vec![(503, String::new()); 10]);
    let stored = upload(&app, &user("1"), "f", &[1]);
    events(&app);
    let seen = webhooks(&app);
    assert_eq!((&seen["failed"], &seen["dead"]), (&json!(1), &json!(0)));
    assert_eq!(seen["endpoint"]["state"], "failing");
    assert_eq!(seen["endpoint"]["lastError"], "status 503");
    let event = &seen["events"][0];
    assert_eq!((&event["type"], &event["state"]), (&json!("image.stored"), &json!("failed")));
    assert_eq!((&event["account"], &event["tries"]), (&json!("user:1"), &json!(1)));
    assert_eq!(event["key"], stored.json["data"]["key"]);
    for _ in 0..200 {
        app.ports.clock.advance(HOUR_MS / 2);
        work(&app);
    }
    let seen = webhooks(&app);
    assert_eq!((&seen["failed"], &seen["dead"]), (&json!(0), &json!(1)), "{seen}");
    assert_eq!(seen["events"][0]["tries"], 10);
    app.ports.back_end.deliveries.take();
    let resend = |ids: Value| {
        let body = if ids.is_null() { json!({}) } else { json!({"ids": ids}) };
        ask(&app, &boss(), Method::POST, "/admin/api/webhooks/resend", &body)
    };
    assert_eq!(resend(json!(["other"])).json["data"]["resent"], 0);
    let reply = resend(json!([seen["events"][0]["id"]]));
    assert_eq!((reply.status, &reply.json["data"]["resent"]), (StatusCode::ACCEPTED, &json!(1)));
    assert_eq!(types(&events(&app)), ["image.stored"]);
    let seen = webhooks(&app);
    assert_eq!((&seen["dead"], &seen["events"]), (&json!(0), &json!([])));
    assert_eq!(resend(Value::Null).json["data"]["resent"], 0);
    assert_eq!(resend(json!(vec!["x"; 101])).code(), "MALFORMED_REQUEST");
}

#[test]
fn a_stopped_endpoint_works_again_after_a_ping() {
    let app = eventful();
    app.ports.back_end.answers.borrow_mut().push_back((410, String::new()));
    upload(&app, &user("1"), "f", &[1]);
    events(&app);
    assert_eq!(webhooks(&app)["endpoint"]["state"], "stopped");
    let ping = || ask(&app, &boss(), Method::POST, "/admin/api/webhooks/ping", &Value::Null);
    app.ports.back_end.answers.borrow_mut().push_back((500, String::new()));
    let failed = ping().json["data"].clone();
    assert_eq!((&failed["delivered"], &failed["error"]), (&json!(false), &json!("status 500")));
    assert_eq!(webhooks(&app)["endpoint"]["state"], "stopped");
    app.ports.back_end.deliveries.take();
    assert_eq!(ping().json["data"]["delivered"], true);
    let sent = app.ports.back_end.deliveries.take();
    let body: Value = serde_json::from_str(&sent[0].body).expect("JSON");
    assert_eq!((&body["type"], &body["data"]), (&json!("test.ping"), &json!({})));
    assert_eq!(webhooks(&app)["endpoint"]["state"], "works");
    app.ports.back_end.hanging.set(true);
    assert_eq!(ping().json["data"]["error"], "no answer in time");
}

#[test]
fn without_a_back_end_there_is_nothing_to_see_or_to_send() {
    let app = app();
    upload(&app, &user("1"), "f", &[1]);
    work(&app);
    assert_eq!(webhooks(&app)["endpoint"]["state"], "off");
    for action in ["ping", "resend"] {
        let path = format!("/admin/api/webhooks/{action}");
        let refused = ask(&app, &boss(), Method::POST, &path, &json!({}));
        assert_eq!(refused.code(), "NOT_FOUND", "{action}");
    }
    assert!(app.ports.back_end.deliveries.borrow().is_empty());
    assert!(app.ports.ledger.deps.sent.borrow().is_empty());
}

fn put_form(app: &TestApp, policy: &Value) {
    let put = ask(app, &service(), Method::PUT, "/forms/wait", policy);
    assert_eq!(put.status, StatusCode::CREATED, "{}", put.json);
}

#[test]
fn an_upload_to_a_form_that_waits_brings_the_answer_of_the_back_end() {
    let app = eventful();
    put_form(&app, &json!({"callback": "wait"}));
    let answers = &app.ports.back_end.answers;
    answers.borrow_mut().push_back((200, r#"{"serverData":{"orderId":7}}"#.to_owned()));
    let stored = upload(&app, &user("1"), "wait", &[1]);
    assert_eq!(stored.status, StatusCode::CREATED);
    assert_eq!(stored.json["data"]["serverData"], json!({"orderId": 7}));
    assert_eq!(types(&events(&app)), ["image.stored"], "the event itself, once");
    // A failure, garbage, and an answer that is too large are no answer.
    let large = format!(r#"{{"serverData":"{}"}}"#, "x".repeat(5_000));
    for (shade, answer) in
        [(2, (500, String::new())), (3, (200, "ok".to_owned())), (4, (200, large))]
    {
        app.ports.clock.advance(HOUR_MS);
        answers.borrow_mut().push_back(answer);
        let stored = upload(&app, &user("1"), "wait", &[shade]);
        assert_eq!(stored.status, StatusCode::CREATED);
        assert_eq!(stored.json["data"].get("serverData"), Some(&Value::Null), "{shade}");
    }
    let repeated = upload(&app, &user("1"), "wait", &[1]);
    assert_eq!(repeated.status, StatusCode::OK);
    assert_eq!(repeated.json["data"].get("serverData"), Some(&Value::Null));
    let several = upload(&app, &user("1"), "wait", &[5, 6]);
    let data = several.json["data"].as_array().expect("a list");
    assert!(data.iter().all(|it| it.get("serverData") == Some(&Value::Null)), "{data:?}");
}

#[test]
fn alerts_report_events_that_were_given_up() {
    let app = eventful_with(&[("ALERT_WEBHOOK_URL", "https://hooks.slack.com/services/T0/B0/x")]);
    app.isolate
        .counters
        .count(edge_api::telemetry::Metric::Event(edge_ledger::EventOutcome::Dead), 1);
    block_on(jobs::flush_later(&app));
    let sent = app.ports.alert_sink.sent.take();
    assert!(sent[0].1.contains("Events that the back end did not take"), "{sent:?}");
}
