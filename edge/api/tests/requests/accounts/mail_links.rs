//! Links in mails: verified addresses, and forgotten passwords.

use edge_api::{jobs::AfterResponse, ports::MailError};
use edge_auth::testing::{NOW_MS, hs256};
use futures_executor::block_on;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{PASSWORD, access_token, bearer, cookie, log_in, post, refresh, sign_up};
use crate::harness::{
    PIXEL, TestApp, TestResponse, app, app_with, ask, form_body, get, gif, send, upload_of,
    upload_with,
};

const ANN: &str = "ann@example.org";
const BOB: &str = "bob@example.org";
const NEXT: &str = "battery staple 배터리";
const MINUTE_MS: u64 = 60_000;
const MAILS: [(&str, &str); 3] = [
    ("MAIL_URL", "https://mail.example/send"),
    ("MAIL_FROM", "no-reply@example.org"),
    ("MAIL_TOKEN", "token-of-the-service"),
];

fn app_that(verification: &str) -> TestApp {
    app_with(&[&MAILS[..], &[("EMAIL_VERIFICATION", verification)]].concat())
}

/// The mails that were sent after the responses so far.
fn mails(app: &TestApp) -> Vec<Value> {
    if let Some(after) = AfterResponse::plan(app) {
        block_on(after.run(app));
    }
    app.ports.mailer.sent.take().into_iter().map(|sent| sent.mail).collect()
}

/// The only mail, and the token of its link.
fn mailed(app: &TestApp, to: &str, kind: &str) -> String {
    let mails = mails(app);
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!((&mails[0]["to"], &mails[0]["kind"]), (&json!(to), &json!(kind)));
    token_of(&mails[0])
}

fn token_of(mail: &Value) -> String {
    let text = mail["text"].as_str().expect("text");
    let (_, token) = text.split_once('=').expect("a link");
    token.split_whitespace().next().expect("a token").to_owned()
}

fn forget(app: &TestApp, email: &str) -> TestResponse {
    post(app, "/auth/password-reset", &[], &json!({"email": email}))
}

fn reset(app: &TestApp, token: &str, password: &str) -> TestResponse {
    let body = json!({"token": token, "password": password});
    post(app, "/auth/password-reset/confirm", &[], &body)
}

fn verify(app: &TestApp, token: &str) -> TestResponse {
    post(app, "/auth/verify-email", &[], &json!({"token": token}))
}

fn finish_sign_up(app: &TestApp, token: &str, password: &str) -> TestResponse {
    post(app, "/auth/verify-email", &[], &json!({"token": token, "password": password}))
}

fn begin_sign_up(app: &TestApp, email: &str, password: &str) -> TestResponse {
    post(app, "/users/signup", &[], &json!({"email": email, "password": password}))
}

#[test]
fn a_forgotten_password_is_replaced_by_a_link_that_works_once() {
    let app = app_that("off");
    let session = sign_up(&app, ANN);
    assert!(mails(&app).is_empty());
    let asked = forget(&app, " Ann@Example.org");
    assert_eq!((asked.status, &asked.json["data"]), (StatusCode::ACCEPTED, &json!({})));
    if let Some(after) = AfterResponse::plan(&app) {
        block_on(after.run(&app));
    }
    let sent = app.ports.mailer.sent.take();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].url, "https://mail.example/send");
    assert_eq!(sent[0].token.as_deref(), Some("token-of-the-service"));
    let mail = &sent[0].mail;
    assert_eq!((&mail["to"], &mail["from"]), (&json!(ANN), &json!("no-reply@example.org")));
    let token = token_of(mail);
    let url = format!("https://image.the-form/account/#reset={token}");
    assert!(mail["text"].as_str().expect("text").contains(&url), "{mail}");
    assert!(mail["html"].as_str().expect("text").contains(&url), "{mail}");
    let stored = app.ports.users.links.borrow()[0].digest.clone();
    assert_ne!(stored, token, "the database has the digest");

    assert_eq!(reset(&app, &token, "1234567").code(), "MALFORMED_REQUEST");
    assert_eq!(reset(&app, &token, "iloveyou1").code(), "PASSWORD_COMMON");
    assert_eq!(reset(&app, &token, ANN).code(), "PASSWORD_COMMON");
    assert_eq!(reset(&app, &stored, NEXT).code(), "LINK_INVALID");
    let changed = reset(&app, &token, NEXT);
    assert_eq!(changed.json["message"], "reset_password_success", "{}", changed.json);
    let told = mails(&app);
    assert_eq!((told.len(), &told[0]["kind"]), (1, &json!("password_changed")));
    let again = reset(&app, &token, PASSWORD);
    assert_eq!((again.status, again.code()), (StatusCode::GONE, "LINK_INVALID"));
    assert_eq!(refresh(&app, &cookie(&session)).code(), "TOKEN_INVALID", "all sessions end");
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "CREDENTIALS_INVALID");
    let login = log_in(&app, ANN, NEXT);
    assert_eq!(login.json["data"]["user"]["emailVerified"], true, "{}", login.json);
    let events = app.ports.registry.events.borrow();
    let recorded: Vec<_> = events.iter().filter(|event| event.kind == "password").collect();
    assert_eq!((recorded.len(), &*recorded[0].reason), (1, "by_link"));
}

#[test]
fn an_export_lists_the_links_that_can_be_opened_without_their_tokens() {
    let app = app_that("optional");
    let session = sign_up(&app, ANN);
    let verification = mailed(&app, ANN, "verify");
    app.ports.set_time(NOW_MS + MINUTE_MS);
    forget(&app, ANN);
    let token = mailed(&app, ANN, "reset");
    let id = session.json["data"]["user"]["id"].as_str().expect("text").to_owned();
    let links = |app: &TestApp| {
        let service = json!({"sub": "platform", "role": "SERVICE"});
        let path = format!("/users/{id}/export");
        let export = ask(app, Method::GET, &path, &service, &Value::Null);
        assert!(!export.text.contains(&token) && !export.text.contains(&verification));
        let links = export.json["data"]["links"].as_array().expect("an array").clone();
        links.iter().map(|it| it["kind"].as_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(links(&app), ["verify", "reset"]);
    app.ports.set_time(NOW_MS + 30 * MINUTE_MS);
    assert_eq!(links(&app), ["reset"], "the other has expired");
}

#[test]
fn a_link_expires_and_does_only_what_it_was_sent_for() {
    let app = app_that("optional");
    sign_up(&app, ANN);
    let verification = mailed(&app, ANN, "verify");
    assert_eq!(reset(&app, &verification, NEXT).code(), "LINK_INVALID");
    // The clock of the tests goes on while mails are sent.
    app.ports.set_time(NOW_MS);
    forget(&app, ANN);
    let token = mailed(&app, ANN, "reset");
    assert_eq!(verify(&app, &token).code(), "LINK_INVALID");
    for text in ["", "x", &format!("{}g", &token[1..]), &format!("{token}0"), &token[1..]] {
        assert_eq!(reset(&app, text, NEXT).code(), "LINK_INVALID", "{text}");
        assert_eq!(verify(&app, text).code(), "LINK_INVALID", "{text}");
    }
    app.ports.set_time(NOW_MS + 30 * MINUTE_MS - 1);
    assert_eq!(reset(&app, &token, "iloveyou1").code(), "PASSWORD_COMMON", "it still works");
    app.ports.set_time(NOW_MS + 30 * MINUTE_MS);
    assert_eq!(reset(&app, &token, NEXT).code(), "LINK_INVALID");
    assert_eq!(verify(&app, &verification).code(), "LINK_INVALID");
}

#[test]
fn an_earlier_link_works_until_one_of_them_is_used() {
    let app = app_that("off");
    sign_up(&app, ANN);
    forget(&app, ANN);
    let first = mailed(&app, ANN, "reset");
    forget(&app, ANN);
    let second = mailed(&app, ANN, "reset");
    assert_eq!(reset(&app, &first, NEXT).status, StatusCode::OK);
    assert_eq!(reset(&app, &second, PASSWORD).code(), "LINK_INVALID");
}

#[test]
fn who_asks_for_a_mail_learns_nothing_of_accounts() {
    for verification in ["off", "required"] {
        let app = app_that(verification);
        let known = app_that(verification);
        known.ports.users.users.borrow_mut().append(&mut {
            let other = crate::harness::app();
            sign_up(&other, ANN);
            other.ports.users.users.take()
        });
        let of = |app: &TestApp, response: TestResponse| {
            let headers: Vec<_> =
                response.headers.iter().filter(|(name, _)| *name != "x-request-id").collect();
            let shown = format!("{} {headers:?} {}", response.status, response.json);
            (shown, mails(app).len())
        };
        let (unknown, sent) = of(&app, forget(&app, ANN));
        assert_eq!((of(&known, forget(&known, ANN)), sent), ((unknown, 1), 0));
        if verification == "required" {
            let (unknown, sent) = of(&app, begin_sign_up(&app, ANN, NEXT));
            assert_eq!((of(&known, begin_sign_up(&known, ANN, NEXT)), sent), ((unknown, 1), 1));
            let logins = [&app, &known].map(|app| log_in(app, ANN, NEXT).code().to_owned());
            assert_eq!(logins, ["CREDENTIALS_INVALID"; 2]);
        }
    }
}

#[test]
fn one_address_gets_three_mails_at_once_and_one_more_every_twenty_minutes() {
    let app = app_that("off");
    sign_up(&app, ANN);
    let codes: Vec<_> = (0..4).map(|_| forget(&app, ANN).code().to_owned()).collect();
    assert_eq!(codes, ["none", "none", "none", "RATE_LIMITED"]);
    assert_eq!(mails(&app).len(), 3);
    assert_eq!(forget(&app, BOB).code(), "none", "other addresses have their own limit");
    app.ports.clock.advance(20 * MINUTE_MS);
    assert_eq!(forget(&app, ANN).code(), "none");
    assert_eq!(forget(&app, ANN).code(), "RATE_LIMITED");
}

#[test]
fn one_client_ip_asks_for_sixty_mails_at_once() {
    let app = app_that("off");
    let ask = |at: usize| {
        let headers = [("cf-connecting-ip", "203.0.113.7")];
        let body = json!({"email": format!("user{at}@example.org")});
        post(&app, "/auth/password-reset", &headers, &body).code().to_owned()
    };
    let codes: Vec<_> = (0..61).map(ask).collect();
    assert!(codes[..60].iter().all(|code| code == "none"), "{codes:?}");
    assert_eq!(codes[60], "RATE_LIMITED");
}

#[test]
fn a_required_verification_makes_the_account_when_the_link_is_opened() {
    let app = app_that("required");
    let begun = begin_sign_up(&app, ANN, PASSWORD);
    assert_eq!(begun.json["message"], "signup_pending", "{}", begun.json);
    assert_eq!((begun.status, &begun.json["data"]), (StatusCode::ACCEPTED, &json!({})));
    assert!(!begun.headers.contains_key("set-cookie"));
    let stale = mailed(&app, ANN, "sign_up");
    assert!(app.ports.users.users.borrow().is_empty());
    assert_eq!(log_in(&app, ANN, PASSWORD).code(), "CREDENTIALS_INVALID");
    // A stranger begins it, with a password that only the stranger knows.
    begin_sign_up(&app, ANN, PASSWORD);
    let token = mailed(&app, ANN, "sign_up");
    assert_eq!(finish_sign_up(&app, &stale, NEXT).code(), "LINK_INVALID", "the last one counts");
    assert_eq!(verify(&app, &token).code(), "MALFORMED_REQUEST", "without a password");
    assert_eq!(finish_sign_up(&app, &token, "iloveyou1").code(), "PASSWORD_COMMON");
    assert_eq!(finish_sign_up(&app, &token, ANN).code(), "PASSWORD_COMMON");
    let opened = finish_sign_up(&app, &token, NEXT);
    assert_eq!(opened.json["message"], "verify_email_success", "{}", opened.json);
    assert_eq!(opened.json["data"], json!({"email": ANN}));
    assert_eq!(finish_sign_up(&app, &token, NEXT).code(), "LINK_INVALID");
    let login = log_in(&app, ANN, NEXT);
    assert_eq!(login.json["data"]["user"]["emailVerified"], true, "{}", login.json);
    begin_sign_up(&app, ANN, PASSWORD);
    let mails = mails(&app);
    assert_eq!((mails.len(), &mails[0]["kind"]), (1, &json!("has_account")));
    assert_eq!(app.ports.users.users.borrow().len(), 1);
}

#[test]
fn a_required_verification_takes_no_picture_with_the_sign_up() {
    let app = app_that("required");
    let body = json!({"email": ANN, "password": PASSWORD, "imageKey": "x", "guestToken": "x"});
    let refused = post(&app, "/users/signup", &[], &body);
    assert_eq!(refused.code(), "MALFORMED_REQUEST");
    assert!(refused.json["detail"].as_str().expect("text").contains("imageKey"));
}

#[test]
fn an_account_from_before_the_setting_is_asked_for_its_address_at_the_login() {
    let before = app();
    sign_up(&before, ANN);
    let app = app_that("required");
    app.ports.users.users.borrow_mut().append(&mut before.ports.users.users.borrow_mut());
    assert_eq!(log_in(&app, ANN, "guess").code(), "CREDENTIALS_INVALID");
    assert!(mails(&app).is_empty());
    let refused = log_in(&app, ANN, PASSWORD);
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "EMAIL_NOT_VERIFIED"));
    let token = mailed(&app, ANN, "verify");
    assert_eq!(verify(&app, &token).status, StatusCode::OK);
    assert_eq!(log_in(&app, ANN, PASSWORD).status, StatusCode::OK);
}

#[test]
fn an_unverified_account_has_the_limits_of_guests() {
    let app = app_that("optional");
    let service = json!({"sub": "platform", "role": "SERVICE"});
    let members = ask(&app, Method::PUT, "/forms/members", &service, &json!({"guests": false}));
    assert_eq!(members.status, StatusCode::CREATED, "{}", members.json);
    let session = sign_up(&app, ANN);
    assert_eq!(session.json["data"]["user"]["emailVerified"], false);
    let to_members = |session: &TestResponse| {
        let upload = upload_of("multipart/form-data; boundary=b", access_token(session));
        send(&app, upload, &form_body("members", &[7]))
    };
    let refused = to_members(&session);
    assert_eq!(refused.code(), "EMAIL_NOT_VERIFIED", "{}", refused.json);
    let request = [("authorization", &*bearer(&session))];
    let ticket = post(&app, "/uploads/tickets", &request, &json!({"formId": "members"}));
    let ticket = ticket.json["data"]["ticket"].as_str().expect("issued").to_owned();
    let upload = upload_of("multipart/form-data; boundary=b", &ticket);
    let refused = send(&app, upload, &form_body("members", &[7]));
    assert_eq!(refused.code(), "EMAIL_NOT_VERIFIED", "with a ticket: {}", refused.json);
    let limits = |session: &TestResponse, shade: u8| {
        let stored = send(&app, upload_with(access_token(session)), &gif(shade));
        assert_eq!(stored.status, StatusCode::CREATED, "{}", stored.json);
        stored.headers["ratelimit-policy"].to_str().expect("text").to_owned()
    };
    assert!(limits(&session, 1).contains("\"day\";q=100;"), "a tenth, as a guest");
    let token = mailed(&app, ANN, "verify");
    assert_eq!(verify(&app, &token).status, StatusCode::OK);
    let renewed = refresh(&app, &cookie(&session));
    assert_eq!(renewed.json["data"]["user"]["emailVerified"], true, "{}", renewed.json);
    let stored = to_members(&renewed);
    assert_eq!(stored.status, StatusCode::CREATED, "{}", stored.json);
    assert!(limits(&renewed, 2).contains("\"day\";q=1000;"));
}

#[test]
fn a_user_asks_for_the_verification_again() {
    let app = app_that("optional");
    let (ann, bob) = (sign_up(&app, ANN), sign_up(&app, BOB));
    assert_eq!(mails(&app).len(), 2);
    let id = ann.json["data"]["user"]["id"].as_str().expect("text").to_owned();
    let path = format!("/users/{id}/verification");
    let again = |session: &TestResponse| {
        post(&app, &path, &[("authorization", &bearer(session))], &json!({}))
    };
    assert_eq!(again(&bob).code(), "USER_MISMATCH");
    assert_eq!(again(&ann).status, StatusCode::ACCEPTED);
    let token = mailed(&app, ANN, "verify");
    assert_eq!(verify(&app, &token).status, StatusCode::OK);
    assert_eq!(again(&ann).status, StatusCode::ACCEPTED);
    assert!(mails(&app).is_empty(), "it is verified");
    let platform = format!("Bearer {}", hs256(json!({"sub": "123"}), 60));
    let without =
        post(&app, "/users/123/verification", &[("authorization", &platform)], &json!({}));
    assert_eq!(without.code(), "NOT_FOUND");
}

#[test]
fn mails_follow_the_language_of_the_request() {
    let app = app_that("off");
    sign_up(&app, ANN);
    let body = json!({"email": ANN});
    post(&app, "/auth/password-reset", &[("accept-language", "ko-KR")], &body);
    let mails = mails(&app);
    assert_eq!(mails[0]["language"], "ko");
    assert_eq!(mails[0]["subject"], "비밀번호를 다시 정해 주세요");
}

#[test]
fn a_mail_is_tried_three_times_unless_the_service_refuses_it() {
    let app = app_that("off");
    sign_up(&app, ANN);
    for (answers, tries) in [
        (vec![Err(MailError::Status(503)), Err(MailError::Unreachable)], 3),
        (vec![Err(MailError::Status(503)); 4], 3),
        (vec![Err(MailError::Status(422))], 1),
    ] {
        *app.ports.mailer.answers.borrow_mut() = answers.into();
        assert_eq!(forget(&app, ANN).status, StatusCode::ACCEPTED);
        assert_eq!(mails(&app).len(), tries);
    }
}

#[test]
fn without_mails_there_are_no_links() {
    let app = app();
    let ann = sign_up(&app, ANN);
    assert_eq!(forget(&app, ANN).code(), "NOT_FOUND");
    let path =
        format!("/users/{}/verification", ann.json["data"]["user"]["id"].as_str().expect("text"));
    let refused = post(&app, &path, &[("authorization", &bearer(&ann))], &json!({}));
    assert_eq!(refused.code(), "NOT_FOUND");
    assert_eq!(send(&app, get("/dev/mail"), b"").code(), "NOT_FOUND");
    let upload = send(&app, upload_with(access_token(&ann)), PIXEL);
    assert_eq!(upload.status, StatusCode::CREATED, "{}", upload.json);
}

#[test]
fn the_mailbox_shows_mails_in_development_only() {
    let app = app_with(&[("DEV_MAILBOX", "true"), ("PUBLIC_BASE_URL", "http://127.0.0.1:8787")]);
    let shown = |app: &TestApp| send(app, get("/dev/mail"), b"").text;
    assert!(shown(&app).contains("No mails yet."));
    sign_up(&app, ANN);
    forget(&app, ANN);
    assert!(mails(&app).is_empty(), "no service gets them");
    let page = shown(&app);
    assert!(page.contains("Choose another password") && page.contains(ANN), "{page}");
    assert!(page.contains("http://127.0.0.1:8787/account/#reset="), "{page}");
    assert!(page.contains("&lt;base target=&quot;_top&quot;&gt;"), "links leave the frame: {page}");
    assert!(!page.contains("<script"), "{page}");
    let elsewhere = app_with(&[("DEV_MAILBOX", "true"), ("PUBLIC_BASE_URL", "")]);
    assert_eq!(send(&elsewhere, get("/dev/mail"), b"").code(), "NOT_FOUND", "at edge.example");
    assert_eq!(send(&app_that("off"), get("/dev/mail"), b"").code(), "NOT_FOUND");
}
