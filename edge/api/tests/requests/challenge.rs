//! Challenges: what a solved one passes, and that none can be reused, moved or forged.

use edge_api::ports::SiteVerifyError;
use edge_auth::solve;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::harness::{TestApp, TestResponse, app, app_with, get, respond, send};

const FROM: &str = "203.0.113.7";
const NEIGHBOUR: &str = "203.0.113.250";
const ELSEWHERE: &str = "203.0.114.7";
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
/// A quarter of a day: each password that is checked costs an argon2.
const MINUTES: u64 = 360;
const PASSWORD: &str = "correct horse 배터리";
const ANN: &str = "ann@example.org";

/// Easy puzzles, and one guest token an hour.
fn with_work(more: &[(&str, &str)]) -> TestApp {
    let variables = [("CHALLENGE", "pow"), ("CHALLENGE_BITS", "8"), ("GUEST_TOKENS_PER_HOUR", "1")];
    app_with(&[&variables, more].concat())
}

fn ask(app: &TestApp, client_ip: &str, purpose: &str) -> TestResponse {
    let path = format!("/auth/challenge?purpose={purpose}");
    send(app, get(&path).header("cf-connecting-ip", client_ip), b"")
}

fn solved(app: &TestApp, client_ip: &str, purpose: &str) -> String {
    let response = ask(app, client_ip, purpose);
    assert_eq!(response.status, StatusCode::OK, "{}", response.json);
    solve(response.json["data"]["challenge"].as_str().expect("text"))
}

fn guest_token_request(client_ip: &str, solution: Option<&str>) -> http::request::Builder {
    let request = get("/auth/guest-token").header("cf-connecting-ip", client_ip);
    match solution {
        Some(solution) => request.header("x-challenge-response", solution),
        None => request,
    }
}

fn guest_token(app: &TestApp, client_ip: &str, solution: Option<&str>) -> TestResponse {
    send(app, guest_token_request(client_ip, solution), b"")
}

fn post(
    app: &TestApp,
    path: &str,
    client_ip: &str,
    solution: Option<&str>,
    body: &Value,
) -> TestResponse {
    let mut request = Request::post(format!("https://image.the-form{path}"))
        .header("content-type", "application/json")
        .header("cf-connecting-ip", client_ip);
    if let Some(solution) = solution {
        request = request.header("x-challenge-response", solution);
    }
    send(app, request, body.to_string().as_bytes())
}

fn sign_up(app: &TestApp, client_ip: &str, solution: Option<&str>, email: &str) -> TestResponse {
    post(app, "/users/signup", client_ip, solution, &json!({"email": email, "password": PASSWORD}))
}

fn log_in(app: &TestApp, client_ip: &str, solution: Option<&str>, password: &str) -> TestResponse {
    post(app, "/auth/login", client_ip, solution, &json!({"email": ANN, "password": password}))
}

/// A client IP that no other call returns.
fn another(number: u32) -> String {
    let [_, second, third, fourth] = number.to_be_bytes();
    format!("10.{second}.{third}.{fourth}")
}

#[test]
fn a_solved_challenge_buys_one_guest_token_above_the_limit() {
    let app = with_work(&[]);
    assert_eq!(guest_token(&app, FROM, None).status, StatusCode::OK);
    let refused = guest_token(&app, FROM, None);
    assert_eq!((refused.status, refused.code()), (StatusCode::FORBIDDEN, "CHALLENGE_REQUIRED"));
    assert_eq!(refused.json["backendCode"], "AUTH-011");
    assert!(refused.headers.contains_key("retry-after"), "or wait until the next hour");
    let solution = solved(&app, FROM, "guest_token");
    assert_eq!(guest_token(&app, FROM, Some(&solution)).status, StatusCode::OK);
    assert_eq!(guest_token(&app, FROM, Some(&solution)).code(), "CHALLENGE_REQUIRED", "spent");
    assert_eq!(guest_token(&app, FROM, None).code(), "CHALLENGE_REQUIRED");
}

#[test]
fn a_challenge_says_how_it_is_solved() {
    let app = with_work(&[]);
    let response = ask(&app, FROM, "login");
    assert_eq!(response.headers["cache-control"], "no-store");
    let data = &response.json["data"];
    assert_eq!(response.json["message"], "issue_challenge_success");
    assert_eq!((&data["kind"], &data["puzzles"]), (&json!("pow"), &json!(16)));
    assert_eq!((&data["bits"], &data["expiresIn"]), (&json!(4), &json!(120)));
    for path in [
        "/auth/challenge",
        "/auth/challenge?purpose=upload",
        "/auth/challenge?purpose=login&purpose=login",
        "/auth/challenge?purpose=login&x=1",
    ] {
        assert_eq!(send(&app, get(path), b"").code(), "MALFORMED_REQUEST", "{path}");
    }
    let off = crate::harness::app();
    assert_eq!(ask(&off, FROM, "login").code(), "NOT_FOUND");
    assert_eq!(send(&off, get("/auth/challenge/widget?purpose=login"), b"").code(), "NOT_FOUND");
    assert_eq!(send(&app, get("/auth/challenge/widget?purpose=login"), b"").code(), "NOT_FOUND");
}

#[test]
fn a_solution_that_was_replayed_moved_or_altered_is_refused() {
    let app = with_work(&[]);
    guest_token(&app, FROM, None);
    let code = |client_ip: &str, solution: &str| {
        guest_token(&app, client_ip, Some(solution)).code().to_owned()
    };
    let spent = solved(&app, FROM, "guest_token");
    assert_eq!(code(FROM, &spent), "none");
    for client_ip in [FROM, NEIGHBOUR] {
        assert_eq!(code(client_ip, &spent), "CHALLENGE_REQUIRED", "replayed from {client_ip}");
    }
    let moved = solved(&app, FROM, "guest_token");
    for client_ip in [ELSEWHERE, "2001:db8::1", "127.0.0.2"] {
        let expected = if client_ip == "127.0.0.2" { "none" } else { "CHALLENGE_REQUIRED" };
        assert_eq!(code(client_ip, &moved), expected, "from {client_ip}; loopback needs none");
    }
    assert_eq!(code(NEIGHBOUR, &moved), "none", "a phone may change its client IP");
    for purpose in ["sign_up", "login"] {
        assert_eq!(code(FROM, &solved(&app, FROM, purpose)), "CHALLENGE_REQUIRED", "{purpose}");
    }
    let late = solved(&app, FROM, "guest_token");
    app.ports.clock.advance(2 * MINUTE_MS);
    assert_eq!(code(FROM, &late), "CHALLENGE_REQUIRED", "expired");
    let good = solved(&app, FROM, "guest_token");
    let (challenge, numbers) = good.split_once('.').expect("two parts");
    let zeros = "A".repeat(numbers.len());
    // The second byte is the difficulty, 4 here, of which this character has the lower half.
    let easy = format!("{}A{}", &challenge[..2], &challenge[3..]);
    let upper = good.to_ascii_uppercase();
    for altered in [
        "",
        "x",
        ".",
        challenge,
        numbers,
        &format!("{challenge}.{zeros}"),
        &format!("{easy}.{numbers}"),
        &upper,
        &"A".repeat(9_000),
    ] {
        assert_eq!(code(FROM, altered), "CHALLENGE_REQUIRED", "{altered}");
    }
    assert_eq!(code(FROM, &good), "none", "nothing of that has spent it");
}

#[test]
fn two_requests_that_race_with_one_solution_get_one_token() {
    let app = with_work(&[]);
    guest_token(&app, FROM, None);
    let solution = solved(&app, FROM, "guest_token");
    let racing = (0..8).map(|at| {
        let client_ip = if at % 2 == 0 { FROM } else { NEIGHBOUR };
        respond(&app, guest_token_request(client_ip, Some(&solution)), b"")
    });
    let responses = app.ports.clock.run_all(racing);
    let served = responses.iter().filter(|response| response.status == StatusCode::OK).count();
    assert_eq!(served, 1);
    assert!(responses.iter().all(|it| matches!(it.code(), "none" | "CHALLENGE_REQUIRED")));
}

#[test]
fn solved_challenges_buy_ten_times_the_limit_and_no_more() {
    let app = with_work(&[]);
    assert_eq!(guest_token(&app, FROM, None).status, StatusCode::OK);
    for number in 1..10 {
        let solution = solved(&app, FROM, "guest_token");
        let response = guest_token(&app, FROM, Some(&solution));
        assert_eq!(response.status, StatusCode::OK, "{number}: {}", response.json);
    }
    let solution = solved(&app, FROM, "guest_token");
    let refused = guest_token(&app, FROM, Some(&solution));
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"));
    assert_eq!(guest_token(&app, FROM, Some(&solution)).code(), "CHALLENGE_REQUIRED", "spent");
    app.ports.clock.advance(HOUR_MS);
    assert_eq!(guest_token(&app, FROM, None).status, StatusCode::OK, "another hour");
}

#[test]
fn a_solved_challenge_buys_an_account() {
    let app = with_work(&[("SIGN_UPS_PER_HOUR", "1")]);
    assert_eq!(sign_up(&app, FROM, None, ANN).status, StatusCode::CREATED);
    assert_eq!(sign_up(&app, FROM, None, "bob@example.org").code(), "CHALLENGE_REQUIRED");
    let solution = solved(&app, FROM, "sign_up");
    assert_eq!(sign_up(&app, FROM, Some(&solution), ANN).code(), "EMAIL_TAKEN", "not spent yet");
    let created = sign_up(&app, FROM, Some(&solution), "bob@example.org");
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.json);
    assert_eq!(
        sign_up(&app, FROM, Some(&solution), "eve@example.org").code(),
        "CHALLENGE_REQUIRED"
    );
}

#[test]
fn the_owner_logs_in_with_a_solved_challenge_while_strangers_guess_from_fourteen_client_ips() {
    let app = with_work(&[("SIGN_UPS_PER_HOUR", "1")]);
    sign_up(&app, FROM, None, ANN);
    let strangers: Vec<_> = (0..14).map(another).collect();
    let (mut checked, mut refused, mut solved_by_owner) = (0, 0, 0);
    for minute in (0..MINUTES).step_by(5) {
        for stranger in &strangers {
            // Without a solution first, which costs nothing, then with one.
            for solution in [None, Some(solved(&app, stranger, "login"))] {
                match log_in(&app, stranger, solution.as_deref(), "guess").code() {
                    "CREDENTIALS_INVALID" => checked += 1,
                    "RATE_LIMITED" | "CHALLENGE_REQUIRED" => refused += 1,
                    other => panic!("{other}"),
                }
            }
        }
        if minute % 15 == 10 {
            let mut owner = log_in(&app, "198.51.100.1", None, PASSWORD);
            if owner.code() == "CHALLENGE_REQUIRED" {
                solved_by_owner += 1;
                let solution = solved(&app, "198.51.100.1", "login");
                owner = log_in(&app, "198.51.100.1", Some(&solution), PASSWORD);
            }
            assert_eq!(owner.status, StatusCode::OK, "minute {minute}: {}", owner.json);
        }
        app.ports.clock.advance(5 * MINUTE_MS);
    }
    assert!(refused > 500 && solved_by_owner > 5, "{refused} {solved_by_owner}");
    assert!(checked <= 14 * (10 + 12), "{checked}");
}

#[test]
fn strangers_who_solve_challenges_guess_one_more_password_every_two_minutes() {
    let app = with_work(&[("SIGN_UPS_PER_HOUR", "1")]);
    sign_up(&app, FROM, None, ANN);
    let (mut client_ips, mut checked) = (0, 0);
    for minute in 0..MINUTES {
        let attempts = if minute == 0 { 160 } else { 2 };
        for attempt in 0..attempts {
            client_ips += 1;
            let from = another(client_ips);
            let solution = (attempt % 2 == 0 || minute == 0).then(|| solved(&app, &from, "login"));
            for solution in [None, solution.as_deref()] {
                let response = log_in(&app, &from, solution, "guess");
                checked += usize::from(response.code() == "CREDENTIALS_INVALID");
            }
        }
        app.ports.clock.advance(MINUTE_MS);
    }
    // At once, and one every 15 and one every 2 minutes: 116 + 840 in a day.
    assert_eq!(checked, (20 + 23) + (120 + 179));
}

#[test]
fn a_wrong_solution_checks_no_password_and_a_known_browser_needs_none() {
    let app = with_work(&[]);
    let signed_up = sign_up(&app, FROM, None, ANN);
    let cookies = signed_up.headers.get_all("set-cookie").iter();
    let device =
        cookies.filter_map(|it| it.to_str().ok()).find(|it| it.starts_with("__Host-device"));
    let device = device.expect("set").split(';').next().expect("a pair").to_owned();
    let wrong = solved(&app, FROM, "sign_up");
    assert_eq!(log_in(&app, FROM, Some(&wrong), PASSWORD).code(), "CHALLENGE_REQUIRED");
    let request = Request::post("https://image.the-form/auth/login")
        .header("content-type", "application/json")
        .header("cf-connecting-ip", FROM)
        .header("cookie", device)
        .header("x-challenge-response", &wrong);
    let body = json!({"email": ANN, "password": PASSWORD}).to_string();
    let known = send(&app, request, body.as_bytes());
    assert_eq!(known.status, StatusCode::OK, "{}", known.json);
}

#[test]
fn without_a_challenge_a_limit_is_final_and_a_solution_is_ignored() {
    let app = app_with(&[("GUEST_TOKENS_PER_HOUR", "1")]);
    assert_eq!(guest_token(&app, FROM, Some("anything")).status, StatusCode::OK);
    assert_eq!(guest_token(&app, FROM, Some("anything")).code(), "RATE_LIMITED");
}

#[test]
fn without_a_ledger_a_solution_buys_nothing() {
    let app = with_work(&[]);
    let solution = solved(&app, FROM, "guest_token");
    app.ports.ledger.broken.set(true);
    assert_eq!(guest_token(&app, FROM, Some(&solution)).code(), "BUSY");
}

#[test]
fn pages_of_other_origins_may_send_the_header() {
    let request =
        get("/auth/guest-token").method(Method::OPTIONS).header("origin", "https://a.example");
    let allowed = send(&app(), request, b"");
    let allowed = allowed.headers["access-control-allow-headers"].to_str().expect("text");
    assert!(allowed.contains("x-challenge-response"), "{allowed}");
}

// --- Turnstile ---

fn with_turnstile(more: &[(&str, &str)]) -> TestApp {
    let variables = [
        ("CHALLENGE", "turnstile"),
        ("TURNSTILE_SITE_KEY", "0x4AAAAAAAsite"),
        ("TURNSTILE_SECRET", "0x4AAAAAAAsecret"),
        ("GUEST_TOKENS_PER_HOUR", "1"),
        ("ALLOWED_ORIGINS", "https://shop.example"),
    ];
    let app = app_with(&[&variables, more].concat());
    guest_token(&app, FROM, None);
    app
}

fn verdict(hostname: &str, action: &str) -> String {
    json!({"success": true, "challenge_ts": "2025-11-14T10:00:00.000Z", "hostname": hostname,
        "error-codes": [], "action": action, "cdata": ""})
    .to_string()
}

fn failure(code: &str) -> String {
    json!({"success": false, "error-codes": [code]}).to_string()
}

/// The code of a request whose token gets this answer.
fn code_with(app: &TestApp, answer: Result<String, SiteVerifyError>) -> String {
    app.ports.site_verify.answers.borrow_mut().push_back(answer);
    guest_token(app, FROM, Some("token-of-turnstile")).code().to_owned()
}

#[test]
fn a_turnstile_token_buys_a_guest_token() {
    let app = with_turnstile(&[]);
    assert_eq!(guest_token(&app, FROM, None).code(), "CHALLENGE_REQUIRED");
    let data = ask(&app, FROM, "guest_token").json["data"].clone();
    let expected =
        json!({"kind": "turnstile", "siteKey": "0x4AAAAAAAsite", "action": "guest_token"});
    assert_eq!(data, expected);
    for host in ["edge.example", "shop.example"] {
        assert_eq!(code_with(&app, Ok(verdict(host, "guest_token"))), "none", "{host}");
    }
    let (url, body) = app.ports.site_verify.asked.borrow()[0].clone();
    assert_eq!(url, "https://challenges.cloudflare.com/turnstile/v0/siteverify");
    let expected =
        json!({"secret": "0x4AAAAAAAsecret", "response": "token-of-turnstile", "remoteip": FROM});
    assert_eq!(body, expected);
}

#[test]
fn a_token_of_another_site_or_purpose_and_one_that_cloudflare_refuses_buy_nothing() {
    let app = with_turnstile(&[]);
    for (answer, name) in [
        (Ok(verdict("evil.example", "guest_token")), "another host"),
        (Ok(verdict("", "guest_token")), "no host"),
        (Ok(verdict("shop.example", "login")), "another purpose"),
        (Ok(verdict("shop.example", "")), "no purpose"),
        (Ok(r#"{"success":true}"#.to_owned()), "neither"),
        (Ok(failure("invalid-input-response")), "invalid"),
        (Ok(failure("timeout-or-duplicate")), "spent"),
        (Ok(failure("bad-request")), "malformed"),
    ] {
        assert_eq!(code_with(&app, answer), "CHALLENGE_REQUIRED", "{name}");
    }
    let asked = app.ports.site_verify.asked.borrow().len();
    let long = "t".repeat(2049);
    assert_eq!(guest_token(&app, FROM, Some(&long)).code(), "CHALLENGE_REQUIRED");
    assert_eq!(app.ports.site_verify.asked.borrow().len(), asked, "no token is so long");
}

#[test]
fn while_siteverify_is_down_nobody_passes() {
    let app = with_turnstile(&[]);
    for answer in [
        Err(SiteVerifyError::Unreachable),
        Err(SiteVerifyError::Status(502)),
        Ok("<html>".to_owned()),
        Ok(r#"{"success":"yes"}"#.to_owned()),
        Ok(failure("internal-error")),
        Ok(failure("invalid-input-secret")),
    ] {
        assert_eq!(code_with(&app, answer.clone()), "BUSY", "{answer:?}");
    }
    // It does not answer at all.
    let request = guest_token_request(FROM, Some("token"));
    let began_ms = edge_types::Clock::now_ms(&*app.ports.clock);
    let refused = app.ports.clock.run(respond(&app, request, b""));
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "BUSY"));
    assert!(edge_types::Clock::now_ms(&*app.ports.clock) - began_ms < 6_000);
    assert!(refused.headers.contains_key("retry-after"));
}

#[test]
fn the_answers_to_test_secrets_name_no_host_of_ours() {
    let secret = ("TURNSTILE_SECRET", "1x0000000000000000000000000000000AA");
    let app = with_turnstile(&[]);
    assert_eq!(code_with(&app, Ok(verdict("localhost", "test"))), "CHALLENGE_REQUIRED");
    let variables = [
        ("CHALLENGE", "turnstile"),
        ("TURNSTILE_SITE_KEY", "1x00000000000000000000AA"),
        secret,
        ("ALLOWED_ORIGINS", "*"),
    ];
    let app = app_with(&variables);
    assert_eq!(code_with(&app, Ok(verdict("localhost", "test"))), "none");
    assert_eq!(code_with(&app, Ok(failure("timeout-or-duplicate"))), "CHALLENGE_REQUIRED");
}

#[test]
fn the_page_with_the_widget_runs_only_its_own_script_and_that_of_cloudflare() {
    let app = with_turnstile(&[]);
    let request = get("/auth/challenge/widget?purpose=login").header("accept-language", "ko");
    let page = send(&app, request, b"");
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["referrer-policy"], "strict-origin");
    assert!(page.text.contains(r#"data-sitekey="0x4AAAAAAAsite" data-action="login""#));
    assert!(page.text.contains("브라우저 확인"));
    let policy = page.headers["content-security-policy"].to_str().expect("text");
    assert!(policy.contains("frame-ancestors 'self' https://shop.example"), "{policy}");
    assert!(policy.contains("script-src 'sha256-") && policy.contains("default-src 'none'"));
    let wrong = send(&app, get("/auth/challenge/widget?purpose=%22%3E"), b"");
    assert_eq!(wrong.code(), "MALFORMED_REQUEST");
}
