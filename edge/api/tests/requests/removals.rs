//! Lists across users, deletion by key and of many images, erasure, withdrawal, export, and the replay after a restore.

use edge_api::jobs;
use edge_auth::testing::{NOW_MS, hs256};
use edge_registry::{RemovalScope, testing::FakeRemoval};
use edge_types::{PERMANENT_MS, UserId};
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, get, gif, guest_token, respond, send, upload_as,
    upload_of, upload_with,
};

fn ask(app: &TestApp, claims: &Value, method: Method, path: &str, body: &Value) -> TestResponse {
    with_token(app, &hs256(claims.clone(), 3600), method, path, body)
}

fn with_token(
    app: &TestApp,
    token: &str,
    method: Method,
    path: &str,
    body: &Value,
) -> TestResponse {
    let request = get(path)
        .method(method)
        .header("authorization", format!("Bearer {token}"))
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

fn user(sub: &str) -> Value {
    json!({"sub": sub})
}

/// Uploads an image to a form; returns its key.
fn upload_to(app: &TestApp, token: &str, form: &str, shade: u8) -> String {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"formId\"\r\n\r\n{form}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"image\"; filename=\"a.gif\"\r\n\
         Content-Type: image/gif\r\n\r\n"
    );
    let body = [head.as_bytes(), &gif(shade), b"\r\n--b--\r\n"].concat();
    let stored = send(app, upload_of("multipart/form-data; boundary=b", token), &body);
    assert_eq!(stored.status, StatusCode::CREATED, "{}", stored.json);
    stored.json["data"]["key"].as_str().expect("stored").to_owned()
}

fn upload_by(app: &TestApp, sub: &str, form: &str, shade: u8) -> String {
    upload_to(app, &hs256(user(sub), 3600), form, shade)
}

/// The pages of the background work that a response starts, with the alarms of the ledgers.
fn work(app: &TestApp) {
    for _ in 0..3 {
        if let Some(after) = jobs::AfterResponse::plan(app) {
            block_on(after.run(app));
        }
        block_on(app.ports.ledger.run_alarms());
        block_on(jobs::run_scheduled(app));
    }
}

fn progress(app: &TestApp, begun: &TestResponse) -> Value {
    let url = begun.headers["location"].to_str().expect("text");
    let path = url.strip_prefix("https://image.the-form").expect("our URL");
    ask(app, &service(), Method::GET, path, &Value::Null).json["data"].clone()
}

fn owners(response: &TestResponse) -> Vec<String> {
    let images = response.json["data"]["images"].as_array().expect("a list").iter();
    images.map(|image| image["userId"].as_str().expect("text").to_owned()).collect()
}

#[test]
fn back_ends_and_administrators_list_a_form_of_all_users() {
    let app = app();
    for (sub, form, shade) in [("1", "f", 1), ("2", "f", 2), ("2", "g", 3)] {
        upload_by(&app, sub, form, shade);
    }
    let list = |claims: &Value, query: &str| {
        ask(&app, claims, Method::GET, &format!("/images?{query}"), &Value::Null)
    };
    for claims in [service(), boss()] {
        assert_eq!(owners(&list(&claims, "formId=f")), ["2", "1"]);
        assert_eq!(owners(&list(&claims, "formId=f&userId=1")), ["1"]);
        assert_eq!(owners(&list(&claims, "")), [""; 0], "their own");
    }
    assert_eq!(owners(&list(&user("1"), "formId=f")), ["1"]);
    assert_eq!(list(&user("1"), "formId=f&userId=2").code(), "USER_MISMATCH");
    let first = list(&service(), "formId=f&limit=1");
    assert_eq!(first.json["data"]["nextCursor"], "2");
    assert_eq!(owners(&list(&service(), "formId=f&limit=1&cursor=2")), ["1"]);
    assert!(first.json["data"]["images"][0]["placeholder"].is_string(), "{}", first.json);
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|it| it.kind == "lookup" && it.subject == "form:f"), "{events:?}");
}

#[test]
fn records_are_found_and_deleted_by_key() {
    let app = app();
    let (one, two) = (upload_by(&app, "1", "f", 1), upload_by(&app, "2", "f", 2));
    let unknown = one.replace("images/1", "images/2");
    let query = format!("/images?key={one}&key={two}&key={unknown}");
    let found = |claims: &Value| ask(&app, claims, Method::GET, &query, &Value::Null);
    assert_eq!(owners(&found(&service())), ["2", "1"]);
    assert_eq!(owners(&found(&user("1"))), ["1"], "those of others are left out");
    let delete = |claims: &Value, query: &str| {
        ask(&app, claims, Method::DELETE, &format!("/images{query}"), &Value::Null)
    };
    assert_eq!(delete(&user("1"), &format!("?key={two}")).code(), "USER_MISMATCH");
    assert_eq!(delete(&user("1"), &format!("?key={unknown}")).code(), "IMAGE_NOT_FOUND");
    for query in ["", "?key=x", "?userId=1", &format!("?key={one}&key={one}")] {
        assert_eq!(delete(&user("1"), query).code(), "MALFORMED_REQUEST", "{query}");
    }
    let deleted = delete(&user("1"), &format!("?key={one}"));
    assert_eq!(deleted.json["data"], json!({"imageId": 1, "key": one}));
    assert_eq!(app.ports.stored(), std::slice::from_ref(&two));

    let guest = guest_token(&app);
    let pending = upload_to(&app, &guest, "f", 3);
    assert_eq!(delete(&user("2"), &format!("?key={pending}")).code(), "USER_MISMATCH");
    let deleted = delete(&service(), &format!("?key={pending}"));
    assert_eq!(deleted.json["data"]["key"], json!(pending));
    assert!(deleted.json["data"]["imageId"].as_u64() > Some(1_000_000_000_000_000));
    assert_eq!(app.ports.stored(), [two]);
    assert_eq!(delete(&service(), &format!("?key={pending}")).code(), "IMAGE_NOT_FOUND");
}

#[test]
fn unknown_fields_and_parameters_are_refused_by_name() {
    let app = app();
    let claims = user("1");
    for (method, path, body, name) in [
        (Method::POST, "/images/metadata", json!({"key": "k", "color": 1}), "color"),
        (Method::POST, "/uploads/tickets", json!({"formID": "f"}), "formID"),
        (Method::PATCH, "/users/1", json!({"nick": "x"}), "nick"),
        (Method::GET, "/images?form=f", Value::Null, "form"),
        (Method::GET, "/users/1/export?page=2", Value::Null, "page"),
    ] {
        let refused = ask(&app, &claims, method, path, &body);
        assert_eq!(refused.code(), "MALFORMED_REQUEST", "{path}");
        let detail = refused.json["detail"].as_str().expect("text");
        assert!(detail.contains(&format!("`{name}`")), "{path}: {detail}");
    }
    let refused = ask(&app, &service(), Method::POST, "/images/delete", &json!({"key": "k"}));
    assert!(refused.text.contains("`key`"), "{}", refused.text);
    let refused = ask(&app, &boss(), Method::GET, "/admin/api/events?kinds=ban", &Value::Null);
    assert!(refused.text.contains("`kinds`"), "{}", refused.text);
    let key = upload_by(&app, "1", "f", 1);
    let body = json!({"key": key, "fileSize": 35});
    let known = ask(&app, &claims, Method::POST, "/images/metadata", &body);
    assert_eq!(known.status, StatusCode::OK, "fileSize is known: {}", known.json);
}

#[test]
fn many_images_are_deleted_in_the_background_by_each_scope() {
    let app = app();
    let key = upload_by(&app, "1", "f", 1);
    for (sub, form, shade) in [("1", "g", 2), ("2", "f", 3), ("2", "g", 4), ("3", "h", 5)] {
        upload_by(&app, sub, form, shade);
    }
    let delete = |body: Value| ask(&app, &service(), Method::POST, "/images/delete", &body);
    for wrong in [
        json!({}),
        json!({"ids": []}),
        json!({"keys": ["x"]}),
        json!({"formId": "f", "userId": "1"}),
        json!({"formId": "f", "userId": null}),
        json!({"ids": vec![1; 101]}),
    ] {
        assert_eq!(delete(wrong.clone()).code(), "MALFORMED_REQUEST", "{wrong}");
    }
    let refused = ask(&app, &user("1"), Method::POST, "/images/delete", &json!({"userId": "1"}));
    assert_eq!(refused.code(), "ROLE_NOT_ALLOWED");
    for (body, total, left) in [
        (json!({"keys": [key]}), 1, 4),
        (json!({"ids": [2, 99]}), 1, 3),
        (json!({"formId": "f"}), 1, 2),
        (json!({"userId": "2"}), 1, 1),
    ] {
        let begun = delete(body.clone());
        assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json);
        assert_eq!(begun.json["data"]["state"], "running");
        assert_eq!(begun.json["data"]["removed"], 0, "{body}");
        assert_eq!(begun.json["data"]["total"], total, "{body}");
        work(&app);
        let done = progress(&app, &begun);
        assert_eq!((&done["state"], &done["removed"]), (&json!("done"), &json!(total)), "{body}");
        assert_eq!(app.ports.stored().len(), left, "{body}");
    }
    let events = app.ports.registry.events.borrow().clone();
    let batches: Vec<_> = events.iter().filter(|event| event.reason == "batch").collect();
    let subjects: Vec<_> = batches.iter().map(|event| event.subject.as_str()).collect();
    assert_eq!(subjects, ["store", "store", "form:f", "user:2"]);
    assert!(batches.iter().all(|event| event.detail.as_deref() == Some("by api")));
}

#[test]
fn images_of_a_form_that_arrive_later_stay() {
    let app = app();
    for shade in 0..45 {
        upload_by(&app, "1", "f", shade);
    }
    let body = json!({"formId": "f"});
    let begun = ask(&app, &service(), Method::POST, "/images/delete", &body);
    upload_by(&app, "1", "f", 100);
    assert_eq!(progress(&app, &begun)["total"], 45);
    work(&app);
    assert_eq!(progress(&app, &begun)["removed"], 45);
    assert_eq!(app.ports.registry.keys().len(), 1);
    assert_eq!(app.ports.stored().len(), 1);
    app.ports.set_time(NOW_MS + 8 * 86_400_000);
    block_on(jobs::run_scheduled(&app));
    assert!(app.ports.registry.removals.borrow().is_empty(), "it was kept for a week");
}

#[test]
fn a_deletion_continues_after_a_failure_and_by_another_isolate() {
    let app = app();
    for shade in 0..30 {
        upload_by(&app, "1", "f", shade);
    }
    let body = json!({"userId": "1"});
    let begun = ask(&app, &service(), Method::POST, "/images/delete", &body);
    app.ports.store.broken.set(true);
    work(&app);
    assert_eq!(progress(&app, &begun)["state"], "running");
    assert_eq!(app.ports.stored().len(), 30, "nothing was removed from the store");
    app.ports.store.broken.set(false);
    // Another isolate has taken it and died.
    let later_ms = NOW_MS + 60_000;
    app.ports.registry.removals.borrow_mut()[0].taken_until_ms = later_ms;
    block_on(jobs::run_scheduled(&app));
    assert_eq!(progress(&app, &begun)["state"], "running");
    app.ports.set_time(later_ms);
    work(&app);
    assert_eq!(progress(&app, &begun)["state"], "done");
    app.ports.set_time(later_ms + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert!(app.ports.stored().is_empty());
}

/// A user with a registered image, one that was claimed from a guest, and a pending one.
fn with_images(app: &TestApp, sub: &str) -> Vec<String> {
    let guest = guest_token(app);
    let claimed = upload_to(app, &guest, "f", 90);
    let body = json!({"key": claimed, "guestToken": guest});
    let outcome = ask(app, &user(sub), Method::POST, "/images/metadata", &body);
    assert_eq!(outcome.status, StatusCode::CREATED, "{}", outcome.json);
    vec![upload_by(app, sub, "f", 91), claimed]
}

fn erase(app: &TestApp, sub: &str) -> TestResponse {
    ask(app, &service(), Method::DELETE, &format!("/users/{sub}"), &Value::Null)
}

#[test]
fn an_erasure_removes_everything_of_a_user_and_of_nobody_else() {
    let app = app_with(&[("AUTH_BUILTIN", "false")]);
    with_images(&app, "123");
    let other = upload_by(&app, "124", "f", 1);
    assert_eq!(
        ask(&app, &user("123"), Method::DELETE, "/users/123", &Value::Null).code(),
        "ROLE_NOT_ALLOWED"
    );
    let begun = erase(&app, "123");
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.json);
    assert_eq!(begun.json["data"]["kind"], "user");
    assert_eq!(begun.json["data"]["total"], 2);
    let again = erase(&app, "123");
    assert_eq!(again.json["data"]["id"], begun.json["data"]["id"], "there is one at a time");
    work(&app);
    let done = progress(&app, &begun);
    assert_eq!((&done["state"], &done["removed"]), (&json!("done"), &json!(2)));
    assert_eq!(app.ports.stored(), [other]);
    let events = app.ports.registry.events.borrow().clone();
    assert!(!format!("{events:?}").contains("123"), "{events:?}");
    let ends: Vec<_> = events.iter().filter(|event| event.reason == "finished").collect();
    assert_eq!(ends.len(), 1, "{events:?}");
    assert!(ends[0].subject.starts_with("erased:"), "{}", ends[0].subject);
    assert!(events.iter().any(|it| it.reason == "back_end" && it.subject == ends[0].subject));
    let read = ask(&app, &user("123"), Method::GET, "/images", &Value::Null);
    assert_eq!(owners(&read), [""; 0]);
    let erased: Vec<_> = app.ports.registry.erased.borrow().keys().cloned().collect();
    assert_eq!(erased.len(), 2, "the pseudonym, and the key that names the guest: {erased:?}");
}

#[test]
fn a_pending_image_of_the_user_goes_and_one_that_another_has_stays() {
    let app = app_with(&[("PENDING_ROLES", "USER")]);
    let (pending, given) = (upload_by(&app, "123", "f", 1), upload_by(&app, "123", "f", 2));
    let body = json!({"key": given, "userId": "124"});
    let claimed = ask(&app, &service(), Method::POST, "/images/metadata", &body);
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    let exported = ask(&app, &user("123"), Method::GET, "/users/123/export", &Value::Null);
    assert_eq!(exported.json["data"]["pendingUploads"][0]["key"], pending);
    erase(&app, "123");
    work(&app);
    assert_eq!(app.ports.stored(), [given], "of {pending}");
}

#[test]
fn uploads_and_claims_meanwhile_are_refused_until_it_is_settled() {
    let app = app();
    upload_by(&app, "123", "f", 1);
    let guest = guest_token(&app);
    let key = upload_to(&app, &guest, "f", 2);
    let begun = erase(&app, "123");
    work(&app);
    assert_eq!(progress(&app, &begun)["state"], "done");
    let refused = send(&app, upload_as(&user("123")), PIXEL);
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "USER_ERASING"));
    assert_eq!(refused.json["backendCode"], "AUTH-017");
    let claim = json!({"key": key, "guestToken": guest});
    let refused = ask(&app, &user("123"), Method::POST, "/images/metadata", &claim);
    assert_eq!(refused.code(), "USER_ERASING");
    let same = erase(&app, "123");
    assert_eq!(same.json["data"]["id"], begun.json["data"]["id"]);
    app.ports.set_time(NOW_MS + 300_000);
    block_on(jobs::run_scheduled(&app));
    assert_eq!(send(&app, upload_as(&user("123")), PIXEL).status, StatusCode::CREATED);
    let is_over = |row: &FakeRemoval| row.removal.scope == RemovalScope::Over;
    assert!(app.ports.registry.removals.borrow().iter().all(is_over), "the id is forgotten");
    assert_eq!(progress(&app, &begun)["kind"], "user");
}

#[test]
fn a_claim_that_is_registered_behind_the_search_is_refused_by_the_database() {
    let app = app();
    let guest = guest_token(&app);
    let key = upload_to(&app, &guest, "f", 2);
    // The claim was admitted before; its row is written after the erasure has ended.
    let body = json!({"key": key, "guestToken": guest});
    let request = get("/images/metadata")
        .method(Method::POST)
        .header("authorization", format!("Bearer {}", hs256(user("123"), 3600)))
        .header("content-type", "application/json");
    app.ports.registry.slow.set(50);
    let text = body.to_string();
    let claiming = respond(&app, request, text.as_bytes());
    let erasing = async {
        for _ in 0..20 {
            edge_registry::testing::yield_once().await;
        }
        let begun = get("/users/123")
            .method(Method::DELETE)
            .header("authorization", format!("Bearer {}", hs256(service(), 3600)));
        respond(&app, begun, b"").await;
        jobs::run_scheduled(&app).await;
    };
    let (claimed, ()) = block_on(futures_util::future::join(claiming, erasing));
    assert_eq!(claimed.code(), "BUSY", "{}", claimed.json);
    app.ports.registry.slow.set(0);
    let request = ask(&app, &user("123"), Method::POST, "/images/metadata", &body);
    assert_eq!(request.code(), "USER_ERASING");
    app.ports.set_time(NOW_MS + 7_200_000);
    work(&app);
    assert!(app.ports.registry.keys().is_empty());
    assert!(app.ports.stored().is_empty());
}

#[test]
fn an_erasure_that_is_interrupted_anywhere_ends_with_the_same_result_and_one_event() {
    for failures in 0..12 {
        let app = app();
        with_images(&app, "123");
        let begun = erase(&app, "123");
        // The isolate dies after so many commands to ledgers.
        for _ in 0..failures {
            app.ports.registry.broken.set(true);
            block_on(jobs::run_scheduled(&app));
            app.ports.registry.broken.set(false);
            app.ports.ledger.restart();
            let now_ms = edge_types::Clock::now_ms(&app.ports) + 61_000;
            app.ports.set_time(now_ms);
            app.ports.ledger.broken.set(failures % 2 == 0);
            block_on(jobs::run_scheduled(&app));
            app.ports.ledger.broken.set(false);
            app.ports.set_time(now_ms + 61_000);
        }
        work(&app);
        assert_eq!(progress(&app, &begun)["state"], "done", "{failures}");
        assert!(app.ports.stored().is_empty() && app.ports.registry.keys().is_empty());
        let events = app.ports.registry.events.borrow();
        let ends = events.iter().filter(|event| event.reason == "finished").count();
        assert_eq!(ends, 1, "{failures}");
    }
}

#[test]
fn a_ban_survives_an_erasure() {
    let app = app();
    let body = json!({"account": "user:123", "permanent": true, "reason": "spam"});
    let banned = ask(&app, &boss(), Method::POST, "/admin/api/bans", &body);
    assert_eq!(banned.status, StatusCode::CREATED, "{}", banned.json);
    erase(&app, "123");
    work(&app);
    app.ports.set_time(NOW_MS + 3_600_000);
    work(&app);
    assert_eq!(send(&app, upload_as(&user("123")), PIXEL).code(), "USER_BANNED");
    let events = app.ports.registry.events.borrow().clone();
    let ban = events.iter().find(|event| event.kind == "ban").expect("kept");
    let pseudonym = ban.subject.clone();
    assert!(pseudonym.starts_with("erased:"), "{pseudonym}");
    // Under the pseudonym only: the ledger, whose name has the id, is deleted.
    assert!(!app.ports.ledger.names().contains(&"user:123".to_owned()));
    for (method, path, body) in
        [(Method::GET, "/images", Value::Null), (Method::POST, "/uploads/tickets", json!({}))]
    {
        let refused = ask(&app, &user("123"), method, path, &body);
        assert_eq!(
            (refused.code(), &refused.json["bannedUntil"]),
            ("USER_BANNED", &json!(FOREVER))
        );
    }
    let exported = ask(&app, &service(), Method::GET, "/users/123/export", &Value::Null);
    assert_eq!(exported.json["data"]["abuse"]["bannedUntil"], FOREVER);
    let shown = ask(&app, &boss(), Method::GET, "/admin/api/users/123", &Value::Null);
    assert_eq!(shown.json["data"]["standing"]["bannedUntil"], FOREVER);
    assert_eq!(send(&app, upload_as(&user("124")), PIXEL).status, StatusCode::CREATED);
    let later = |app: &TestApp, claims: &Value, method, path: &str, body: &Value| {
        with_token(app, &hs256(claims.clone(), 10 * 86_400), method, path, body)
    };
    app.ports.registry.broken.set(true);
    for (later_ms, code) in [(100_000, "none"), (300_000, "BUSY")] {
        app.ports.set_time(NOW_MS + 3_600_000 + later_ms);
        let ticket = later(&app, &user("124"), Method::POST, "/uploads/tickets", &json!({}));
        assert_eq!(ticket.code(), code, "without a recent list nobody passes");
    }
    app.ports.registry.broken.set(false);

    // It is listed, and ended by the pseudonym or by the id.
    for name in [pseudonym.as_str(), "user:123"] {
        let list = later(&app, &boss(), Method::GET, "/admin/api/bans", &Value::Null);
        let bans = list.json["data"]["bans"].as_array().expect("a list").clone();
        assert_eq!((bans.len(), &bans[0]["account"]), (1, &json!(pseudonym)));
        assert_eq!(
            (&bans[0]["bannedUntil"], &bans[0]["reason"]),
            (&json!(FOREVER), &json!("spam"))
        );
        let path = format!("/admin/api/bans/{name}");
        let lifted = later(&app, &boss(), Method::DELETE, &path, &Value::Null);
        assert_eq!(lifted.json["data"]["account"], name);
        assert_eq!(later(&app, &user("123"), Method::GET, "/images", &Value::Null).code(), "none");
        app.ports.registry.erased_bans.borrow_mut().insert(pseudonym.clone(), PERMANENT_MS);
        app.ports.set_time(edge_types::Clock::now_ms(&app.ports) + 31_000);
    }
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|it| it.kind == "lift" && it.subject == pseudonym), "{events:?}");
}

const FOREVER: &str = "9999-12-31T23:59:59.999Z";

/// Signs up; returns the user id and the access token.
fn sign_up(app: &TestApp, email: &str) -> (String, String) {
    let body = json!({"email": email, "password": "correct horse"}).to_string();
    let request = get("/users/signup").method(Method::POST);
    let request = request.header("content-type", "application/json");
    let response = send(app, request, body.as_bytes());
    assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
    let data = &response.json["data"];
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&data["user"]["id"]), text(&data["accessToken"]))
}

#[test]
fn a_user_withdraws_with_the_password_or_soon_after_the_login() {
    for (later_ms, body, expected) in [
        (1, json!({}), "none"),
        (299_999, json!({}), "none"),
        (300_000, json!({}), "CREDENTIALS_INVALID"),
        (300_000, json!({"password": "wrong horse"}), "CREDENTIALS_INVALID"),
        (300_000, json!({"password": "correct horse"}), "none"),
    ] {
        let app = app();
        let (id, token) = sign_up(&app, "a@example.org");
        sign_up(&app, "b@example.org");
        upload_to(&app, &token, "f", 1);
        app.ports.set_time(NOW_MS + later_ms);
        let other = with_token(&app, &token, Method::POST, "/users/124/withdraw", &body);
        assert_eq!(other.code(), "USER_MISMATCH");
        let path = format!("/users/{id}/withdraw");
        let begun = with_token(&app, &token, Method::POST, &path, &body);
        assert_eq!(begun.code(), expected, "{later_ms} {body}");
        if expected != "none" {
            continue;
        }
        assert_eq!(begun.status, StatusCode::ACCEPTED);
        let cookie = begun.headers["set-cookie"].to_str().expect("text");
        assert!(cookie.contains("Max-Age=0"), "{cookie}");
        let url = begun.json["data"]["url"].as_str().expect("a URL");
        let path = url.strip_prefix("https://image.the-form").expect("ours").to_owned();
        work(&app);
        let read = with_token(&app, &token, Method::GET, &path, &Value::Null);
        assert_eq!(read.json["data"]["state"], "done", "{}", read.json);
        let stranger = ask(&app, &user("9"), Method::GET, &path, &Value::Null);
        assert_eq!(stranger.code(), "USER_MISMATCH");
        let users = app.ports.users.users.borrow();
        assert_eq!(users.len(), 1, "the other account stays");
        assert!(app.ports.users.families.borrow().iter().all(|it| it.user == users[0].0.id));
        assert!(app.ports.stored().is_empty());
        let refused = send(&app, upload_with(&token), PIXEL);
        assert_eq!(refused.code(), "USER_ERASING", "the token has not expired");
    }
}

#[test]
fn an_export_has_everything_and_comes_in_pages() {
    let app = app();
    let (id, token) = sign_up(&app, "a@example.org");
    upload_to(&app, &token, "f", 1);
    let path = format!("/users/{id}/export");
    let export = |claims: &Value, path: &str| ask(&app, claims, Method::GET, path, &Value::Null);
    let own = with_token(&app, &token, Method::GET, &path, &Value::Null);
    let data = &own.json["data"];
    assert_eq!(data["account"]["email"], "a@example.org");
    assert_eq!(data["sessions"].as_array().map(Vec::len), Some(1));
    assert_eq!(data["images"][0]["formId"], "f");
    assert_eq!(data["imageCount"], 1);
    assert_eq!(data["events"][0]["kind"], "signup");
    assert_eq!(data["abuse"]["strikes"], 0);
    assert_eq!(data["limits"]["dailyCount"], 999);
    assert!(!own.text.contains("argon2"), "no hash");
    assert_eq!(export(&service(), &path).json["data"]["userId"], json!(id));
    assert_eq!(export(&user("9"), &path).code(), "USER_MISMATCH");
    let next = export(&service(), &format!("{path}?cursor=1"));
    assert_eq!(next.json["data"]["images"], json!([]));
    assert_eq!(next.json["data"]["account"], Value::Null);
    export(&boss(), &path);
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|event| event.kind == "lookup"), "{events:?}");
}

#[test]
fn a_restored_database_is_erased_again_and_what_is_newer_stays() {
    let app = app();
    let keys = with_images(&app, "123");
    let (id, _) = sign_up(&app, "a@example.org");
    let rows = app.ports.registry.rows.borrow().clone();
    let events = app.ports.registry.events.borrow().clone();
    let accounts = app.ports.users.users.borrow().clone();
    let objects = app.ports.store.objects.borrow().clone();
    app.ports.set_time(NOW_MS + 1_000);
    for sub in ["123", &id] {
        erase(&app, sub);
    }
    work(&app);
    assert!(app.ports.stored().is_empty() && app.ports.users.users.borrow().is_empty());
    app.ports.set_time(NOW_MS + 1_800_000);
    block_on(jobs::run_scheduled(&app));
    // The same id belongs to somebody new.
    let newer = upload_by(&app, "123", "f", 7);
    // The restore: all rows and objects of before, and the list of the erased.
    app.ports.registry.rows.borrow_mut().extend(rows);
    app.ports.registry.events.borrow_mut().extend(events);
    app.ports.users.users.borrow_mut().extend(accounts);
    app.ports.store.objects.borrow_mut().extend(objects);
    // The owner of a claimed image is lost with its row, when the sweep registers it again.
    let guest = UserId::parse(keys[1].split('/').nth(1).expect("an owner")).expect("valid");
    for row in app.ports.registry.rows.borrow_mut().iter_mut().filter(|row| row.key == keys[1]) {
        row.owner = guest.to_string();
    }
    let replay = FakeRemoval::replay();
    app.ports.registry.removals.borrow_mut().push(replay);
    work(&app);
    assert_eq!(app.ports.stored(), [newer]);
    assert_eq!(app.ports.registry.keys().len(), 1);
    assert!(app.ports.users.users.borrow().is_empty());
    let events = app.ports.registry.events.borrow();
    assert!(events.iter().any(|event| event.reason == "replayed"), "{events:?}");
    let old = events.iter().filter(|it| it.at_ms < NOW_MS + 1_000);
    assert!(!format!("{:?}", old.collect::<Vec<_>>()).contains("user:123"));
}
