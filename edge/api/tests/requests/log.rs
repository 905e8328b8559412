//! The log line of each request, and what must not be in it.

use edge_auth::testing::hs256;
use edge_types::{
    log::{Level, set_level},
    testing::written,
};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::{
    harness::{PIXEL, TestApp, app, get, gif, send, upload, upload_as, upload_of, user_token},
    rights::endpoints,
};

/// The lines about requests since the last call.
fn lines() -> Vec<Value> {
    let lines = written().into_iter().map(|line| serde_json::from_str(&line).expect("JSON"));
    lines.filter(|line: &Value| line["event"] == "request").collect()
}

#[test]
fn a_request_has_one_line_with_sizes_and_times() {
    let app = app();
    app.ports.tick_ms.set(1);
    let response = send(&app, upload(), PIXEL);
    let [line] = &*lines() else { panic!("one line") };
    let id = response.headers["x-request-id"].to_str().expect("text");
    for (name, expected) in [
        ("level", json!("info")),
        ("requestId", json!(id)),
        ("method", json!("POST")),
        ("route", json!("upload")),
        ("status", json!(201)),
        ("outcome", json!("SERVED")),
        ("bytesIn", json!(PIXEL.len())),
        ("bytesOut", json!(response.text.len())),
    ] {
        assert_eq!(line[name], expected, "{name}");
    }
    assert!(line["tookMs"].as_u64() > Some(0));
    let stages = line["stagesMs"].as_object().expect("stages");
    let stages: Vec<_> = stages.keys().map(String::as_str).collect();
    assert_eq!(stages, ["admit", "commit", "read", "rules", "store"]);
    assert!(line.get("cause").is_none());

    send(&app, upload(), PIXEL);
    send(&app, upload_as(&json!({"sub": "124"})), PIXEL);
    let users: Vec<_> = lines().iter().map(|line| line["user"].clone()).collect();
    assert_eq!(users[0], line["user"], "a user has one pseudonym");
    assert_eq!(line["role"], "USER");
    assert_ne!(users[1], line["user"]);
    assert_eq!(users[1].as_str().map(str::len), Some(16));
}

#[test]
fn a_server_error_is_logged_once_with_its_cause() {
    let app = app();
    app.ports.store.broken.set(true);
    let response = send(&app, upload(), PIXEL);
    assert_eq!(response.code(), "STORAGE_UNAVAILABLE");
    let lines = written();
    let causes: Vec<_> = lines.iter().filter(|line| line.contains("set to fail")).collect();
    let [line] = &*causes else { panic!("one line: {lines:?}") };
    let line: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!((&line["level"], &line["event"]), (&json!("error"), &json!("request")));
    assert_eq!(line["outcome"], "STORAGE_UNAVAILABLE");
    assert_eq!(line["requestId"], response.json["requestId"]);
}

#[test]
fn lines_below_the_level_are_not_written() {
    let app = app();
    set_level(Level::Warn);
    send(&app, upload(), PIXEL);
    send(&app, get("/healthz"), b"");
    send(&app, get("/images").header("authorization", "Bearer x.y.z"), b"");
    send(&app, get("/images").header("cf-ray", "8f1a2b3c4d5e6f70-ICN"), b"");
    let warned = lines();
    set_level(Level::Debug);
    send(&app, get("/healthz"), b"");
    let debugged = lines();
    set_level(Level::default());
    let outcomes: Vec<_> = warned.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["TOKEN_INVALID", "TOKEN_MISSING"]);
    assert_eq!(
        (&warned[1]["level"], &warned[1]["ray"]),
        (&json!("warn"), &json!("8f1a2b3c4d5e6f70-ICN"))
    );
    assert_eq!(
        (&debugged[0]["route"], &debugged[0]["level"]),
        (&json!("healthz"), &json!("debug"))
    );
}

#[test]
fn in_production_every_refusal_has_a_line_with_its_request_id() {
    let app = app();
    set_level(Level::Warn);
    let responses = [
        send(&app, upload(), b"<svg></svg>"),
        send(&app, upload().header("content-length", "6000000"), b""),
        send(
            &app,
            get("/images/7").header("authorization", format!("Bearer {}", user_token())),
            b"",
        ),
        send(&app, get("/nowhere"), b""),
    ];
    let logged = lines();
    set_level(Level::default());
    assert_eq!(logged.len(), responses.len());
    for (response, line) in responses.iter().zip(&logged) {
        assert_eq!(line["level"], "warn");
        assert_eq!(
            (&line["requestId"], &line["outcome"]),
            (&response.json["requestId"], &response.json["code"])
        );
    }
}

#[test]
fn a_form_with_one_refused_image_has_a_line() {
    let app = app();
    let form = "--b\r\ncontent-disposition: form-data; name=\"a\"; filename=\"a.gif\"\r\ncontent-type: image/gif\r\n\r\n";
    let body =
        [form.as_bytes(), PIXEL, b"\r\n", form.as_bytes(), b"GIF89a", b"\r\n--b--\r\n"].concat();
    set_level(Level::Warn);
    let request = upload_of("multipart/form-data; boundary=b", &user_token());
    let response = send(&app, request, &body);
    let logged = lines();
    set_level(Level::default());
    assert_eq!(response.status, StatusCode::MULTI_STATUS, "{}", response.text);
    let [line] = &*logged else { panic!("one line: {logged:?}") };
    assert_eq!(line["requestId"], response.headers["x-request-id"].to_str().expect("text"));
    assert_eq!(
        (&line["level"], &line["files"]),
        (&json!("warn"), &json!(["STORED", "IMAGE_CORRUPT"]))
    );
}

#[test]
fn lines_about_refusals_are_limited_unless_every_request_has_one() {
    let app = app();
    let flood = |app: &TestApp| {
        for _ in 0..500 {
            send(app, get("/nowhere"), b"");
        }
        lines()
    };
    set_level(Level::Warn);
    let during = flood(&app);
    send(&app, upload(), b"<svg></svg>");
    let beside = lines();
    app.ports.clock.advance(60_000);
    send(&app, get("/nowhere"), b"");
    let after = lines();
    set_level(Level::Info);
    let all = flood(&app);
    set_level(Level::default());
    assert_eq!(during.len(), 60);
    assert_eq!(beside.len(), 1, "another outcome has its own limit");
    assert_eq!(after[0]["suppressed"], 440);
    assert_eq!(all.len(), 500);
}

#[test]
fn secrets_anywhere_in_a_request_are_never_logged() {
    let app = app();
    set_level(Level::Debug);
    let secret = "s3cret-jane.doe";
    let mail = "s3cret-jane.doe@example.com";
    let token = hs256(json!({"sub": "s3cret-jane_doe", "email": mail, "jti": secret}), 3600);
    let places = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(format!("https://edge.example{path}?token={secret}&v={secret}&kind={secret}"))
            .header("x-filename", format!("{secret}.gif"))
            .header("cf-connecting-ip", "203.0.113.77")
            .header("cf-ray", secret)
            .header("origin", format!("https://{secret}.example"))
            .header("cookie", format!("__Host-refresh_token={secret}.{secret}; session={secret}"))
            .header("accept-language", secret)
            .header("user-agent", secret)
    };
    let body = json!({"email": mail, "password": secret, "nickname": secret, "guestToken": secret,
        "imageUrl": secret, "key": secret, "formId": secret, "originalFilename": secret,
        "account": secret, "reason": secret, "seconds": 60});
    for broken in [false, true] {
        app.ports.store.broken.set(broken);
        app.ports.registry.broken.set(broken);
        for (path, method, _) in endpoints() {
            if path == "/_fault/panic" {
                continue; // It panics.
            }
            for header in [format!("Bearer {token}"), format!("Bearer {secret}")] {
                let request = places(method, path).header("authorization", header);
                send(
                    &app,
                    request.header("content-type", "application/json"),
                    body.to_string().as_bytes(),
                );
            }
        }
        let request = places("POST", "/images").header("authorization", format!("Bearer {token}"));
        send(&app, request.header("content-type", "image/gif"), &gif(u8::from(broken)));
        send(&app, places("S3CRET-JANE", &format!("/{secret}/{mail}")), b"");
    }
    set_level(Level::default());
    let lines = written();
    assert!(
        lines.len() > 100 && lines.iter().any(|line| line.contains("cause")),
        "{}",
        lines.len()
    );
    for line in lines {
        let small = line.to_ascii_lowercase();
        for part in ["s3cret", "jane", "example.com", "203.0.113", &token[..20]] {
            assert!(!small.contains(&part.to_ascii_lowercase()), "{part} in {line}");
        }
    }
}
