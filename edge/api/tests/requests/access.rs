//! The order of checks: flood limit, token, bans, exact limits; for whom a ban holds, and what is a strike.

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_auth::testing::{NOW_MS, hs256};
use edge_ledger::{Ban, LedgerClient};
use edge_types::{Subject, timestamp};
use futures_executor::block_on;
use http::{Method, StatusCode, header, request::Builder};
use serde_json::json;

use crate::{
    harness::{PIXEL, TestApp, TestResponse, app, app_with, get, gif, send, upload, upload_as},
    rights::{Access, access, endpoints},
};

const METRICS_TOKEN: &str = "0123456789abcdef0123456789abcdef";
const IP: &str = "203.0.113.7";

fn from(ip: &str, request: Builder) -> Builder {
    request.header("cf-connecting-ip", ip)
}

fn with_token(request: Builder, token: &str) -> Builder {
    request.header("authorization", format!("Bearer {token}"))
}

fn token(role: &str) -> String {
    hs256(json!({"sub": "123", "role": role}), 60)
}

fn post(path: &str) -> Builder {
    get(path).method(Method::POST).header("content-type", "application/json")
}

fn ban(app: &TestApp, subject: &str) {
    let ban = Ban { until_ms: NOW_MS + 60_000, reason: "spam".to_owned(), by: "boss".to_owned() };
    let subject = Subject::parse(subject).expect("a subject");
    block_on(app.ports.ledger.send(&subject, ban)).expect("answers");
}

fn sign_up(app: &TestApp, ip: &str, email: &str) -> TestResponse {
    let body = json!({"email": email, "password": "correct horse"}).to_string();
    send(app, from(ip, post("/users/signup")), body.as_bytes())
}

fn log_in(app: &TestApp, ip: &str, email: &str) -> TestResponse {
    let body = json!({"email": email, "password": "correct horse"}).to_string();
    send(app, from(ip, post("/auth/login")), body.as_bytes())
}

fn cookie(response: &TestResponse) -> String {
    let set = response.headers[header::SET_COOKIE].to_str().expect("text");
    set.split(';').next().expect("a pair").to_owned()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// A token without a signature, another one for each number; only an attacker makes one.
fn unsigned(number: u32) -> String {
    let claims = json!({"sub": format!("u{number}"), "exp": 9_999_999_999_u64}).to_string();
    format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims))
}

#[test]
fn the_ban_of_a_client_ip_exempts_authenticated_callers() {
    let app = app_with(&[("METRICS_TOKEN", METRICS_TOKEN)]);
    let signed_up = sign_up(&app, IP, "ann@example.org");
    assert_eq!(signed_up.status, StatusCode::CREATED, "{}", signed_up.json);
    ban(&app, &format!("ip:{IP}"));
    let code =
        |request: Builder, body: &[u8]| send(&app, from(IP, request), body).code().to_owned();

    for role in ["USER", "SERVICE"] {
        let upload = upload_as(&json!({"sub": "123", "role": role}));
        assert_eq!(code(upload, PIXEL), "none", "{role}");
    }
    for role in ["USER", "SERVICE", "ADMIN"] {
        assert_eq!(code(with_token(get("/images"), &token(role)), b""), "none", "{role}");
    }
    assert_eq!(code(with_token(get("/admin/api/bans"), &token("ADMIN")), b""), "none");
    assert_eq!(code(with_token(get("/metrics"), &token("ADMIN")), b""), "none");
    assert_eq!(code(with_token(get("/metrics"), METRICS_TOKEN), b""), "none");
    let refresh = |cookie: &str| {
        send(
            &app,
            from(IP, get("/auth/refresh_token").method(Method::POST).header("cookie", cookie)),
            b"",
        )
    };
    let refreshed = refresh(&cookie(&signed_up));
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.json);
    let out = get("/auth/logout").method(Method::POST).header("cookie", cookie(&refreshed));
    assert_eq!(code(out, b""), "none");

    assert_eq!(refresh(&cookie(&refreshed)).code(), "USER_BANNED", "it was revoked");
    assert_eq!(refresh("").code(), "USER_BANNED");
    assert_eq!(code(get("/auth/guest-token"), b""), "USER_BANNED");
    assert_eq!(sign_up(&app, IP, "bob@example.org").code(), "USER_BANNED");
    assert_eq!(log_in(&app, IP, "ann@example.org").code(), "USER_BANNED");
    assert_eq!(code(get("/images"), b""), "USER_BANNED");
    assert_eq!(code(get("/metrics"), b""), "USER_BANNED");
    let guest = json!({"sub": "guest-1", "role": "GUEST"});
    assert_eq!(code(upload_as(&guest), PIXEL), "USER_BANNED");
    assert_eq!(code(with_token(get("/images"), &hs256(guest, 60)), b""), "USER_BANNED");
    assert_eq!(code(with_token(get("/images"), "x"), b""), "USER_BANNED");
    let expired = hs256(json!({"sub": "123"}), -60);
    assert_eq!(
        code(with_token(get("/images"), &expired), b""),
        "TOKEN_EXPIRED",
        "its client must refresh it"
    );
}

#[test]
fn the_ban_of_a_user_holds_everywhere_except_delivery_and_logout() {
    let app = app();
    let key = send(&app, upload(), PIXEL).json["data"]["key"].clone();
    let signed_up = sign_up(&app, IP, "ann@example.org");
    let ann = signed_up.json["data"]["user"]["id"].as_str().expect("an id").to_owned();
    ban(&app, "user:123");
    ban(&app, &format!("user:{ann}"));

    for (path, method, endpoint) in endpoints() {
        let Access::Token(rights) = access(&endpoint) else { continue };
        for role in rights.roles {
            let role = serde_json::to_value(role).expect("JSON");
            let token = hs256(json!({"sub": "123", "role": role}), 60);
            let request = with_token(post(path).method(method), &token);
            assert_eq!(send(&app, request, b"{}").code(), "USER_BANNED", "{method} {path} {role}");
        }
    }
    let refresh = |cookie: &str| {
        send(&app, get("/auth/refresh_token").method(Method::POST).header("cookie", cookie), b"")
    };
    let mine = cookie(&signed_up);
    let banned = refresh(&mine);
    assert_eq!(banned.json["bannedUntil"], timestamp(NOW_MS + 60_000));
    assert_eq!(log_in(&app, "198.51.100.1", "ann@example.org").code(), "USER_BANNED");
    let picture = send(&app, get(&format!("/{}", key.as_str().expect("stored"))), b"");
    assert_eq!(picture.status, StatusCode::OK);

    app.ports.set_time(NOW_MS + 60_000);
    let refreshed = refresh(&mine);
    assert_eq!(
        refreshed.status,
        StatusCode::OK,
        "the refusal did not spend it: {}",
        refreshed.json
    );
    app.ports.set_time(NOW_MS + 1);
    let out = get("/auth/logout").method(Method::POST).header("cookie", cookie(&refreshed));
    assert_eq!(send(&app, out, b"").status, StatusCode::OK);
}

#[test]
fn only_hostile_tokens_are_strikes_against_the_client_ip() {
    let app = app_with(&[("STRIKES_TO_BAN", "3"), ("BAN_S", "100"), ("IP_PER_MINUTE", "1000")]);
    let show = |token: &str| send(&app, from(IP, with_token(get("/images"), token)), b"");
    let genuine = token("USER");
    let (signed_part, _) = genuine.rsplit_once('.').expect("three parts");
    for number in 0..20 {
        let signature = encode([number; 32]);
        assert_eq!(show(&format!("{signed_part}.{signature}")).code(), "TOKEN_INVALID");
        let head = encode(format!(r#"{{"alg":"ES256","kid":"key-{number}"}}"#));
        let strange = format!("{head}.{}.{}", encode("{}"), encode([number; 64]));
        assert_eq!(show(&strange).code(), "TOKEN_INVALID");
        assert_eq!(
            show(&hs256(json!({"sub": "1", "role": format!("R{number}")}), 60)).code(),
            "ROLE_NOT_ALLOWED"
        );
    }
    for number in [0, 0, 0, 1] {
        assert_eq!(show(&unsigned(number)).code(), "TOKEN_INVALID", "a repetition counts once");
    }
    let login = from(IP, with_token(post("/auth/login"), &unsigned(2)));
    assert_eq!(send(&app, login, b"{}").code(), "MALFORMED_REQUEST", "and a strike");
    let banned = show(&unsigned(3));
    assert_eq!((banned.status, banned.code()), (StatusCode::FORBIDDEN, "USER_BANNED"));
    assert_eq!(show(&genuine).status, StatusCode::OK);
    let elsewhere = send(&app, from("203.0.113.8", get("/auth/guest-token")), b"");
    assert_eq!(elsewhere.status, StatusCode::OK);
    block_on(app.ports.ledger.run_alarms());
    let events = app.ports.registry.events.borrow();
    let strikes: Vec<_> = events.iter().map(|it| (&*it.subject, &*it.reason)).collect();
    assert_eq!(strikes, [("ip:203.0.113.7", "forged_token")]);
}

#[test]
fn strikes_of_a_guest_also_count_against_the_client_ip() {
    let app = app_with(&[("STRIKES_TO_BAN", "3")]);
    let disguise = |sub: &str, role: &str, word: u8| {
        let request = from(IP, upload_as(&json!({"sub": sub, "role": role})));
        send(&app, request, format!("%PDF-1.7 {word}").as_bytes()).code().to_owned()
    };
    for number in 0..5 {
        assert_eq!(disguise(&format!("user-{number}"), "USER", number), "INVALID_FILE_SIGNATURE");
    }
    assert_eq!(send(&app, from(IP, get("/auth/guest-token")), b"").status, StatusCode::OK);
    for number in 0..3 {
        assert_eq!(disguise(&format!("guest-{number}"), "GUEST", number), "INVALID_FILE_SIGNATURE");
    }
    assert_eq!(send(&app, from(IP, get("/auth/guest-token")), b"").code(), "USER_BANNED");
}

#[test]
fn loopback_and_the_shared_egress_of_workers_are_never_banned() {
    let app = app_with(&[("STRIKES_TO_BAN", "1"), ("IP_PER_MINUTE", "1000")]);
    for ip in ["127.0.0.1", "::1", "2a06:98c0:3600::103"] {
        for number in 0..9 {
            let request = from(ip, with_token(get("/images"), &unsigned(number)));
            assert_eq!(send(&app, request, b"").code(), "TOKEN_INVALID", "{ip}");
        }
        assert_eq!(send(&app, from(ip, get("/auth/guest-token")), b"").status, StatusCode::OK);
        let body = json!({"account": format!("ip:{ip}"), "seconds": 60, "reason": "x"}).to_string();
        let request = with_token(post("/admin/api/bans"), &token("ADMIN"));
        assert_eq!(send(&app, request, body.as_bytes()).code(), "MALFORMED_REQUEST", "{ip}");
    }
}

#[test]
fn ipv6_counts_by_64_and_by_48_with_four_times_the_limits() {
    let app = app_with(&[("IP_PER_MINUTE", "2"), ("STRIKES_TO_BAN", "2")]);
    let ask = |ip: &str| send(&app, from(ip, get("/auth/guest-token")), b"");
    for host in 1..3 {
        assert_eq!(ask(&format!("2001:db8:1:1::{host}")).status, StatusCode::OK);
    }
    assert_eq!(ask("2001:db8:1:1::9").code(), "RATE_LIMITED", "one /64");
    for network in 2..7 {
        assert_eq!(ask(&format!("2001:db8:1:{network}::1")).status, StatusCode::OK, "{network}");
    }
    let refused = ask("2001:db8:1:7::1");
    assert_eq!(refused.code(), "RATE_LIMITED", "eight of the /48");
    assert_eq!(refused.headers["ratelimit-policy"], "\"address\";q=8;w=60");
    assert_eq!(ask("2001:db8:2:1::1").status, StatusCode::OK, "another /48");

    app.ports.set_time(NOW_MS + 60_000);
    for number in 0..8 {
        let ip = format!("2001:db8:1:a{number}::1");
        send(&app, from(&ip, with_token(get("/images"), &unsigned(number))), b"");
    }
    app.ports.set_time(NOW_MS + 120_000);
    assert_eq!(ask("2001:db8:1:b::1").code(), "USER_BANNED", "eight strikes ban the /48");
    assert_eq!(ask("2001:db8:2:b::1").status, StatusCode::OK);
}

#[test]
fn a_back_end_has_one_limit_for_requests_and_uploads() {
    let app = app_with(&[("SERVICE_PER_MINUTE", "4"), ("IP_PER_MINUTE", "1")]);
    let list = |sub: &str| {
        let token = hs256(json!({"sub": sub, "role": "SERVICE"}), 60);
        send(&app, from(IP, with_token(get("/images"), &token)), b"")
    };
    assert_eq!(list("shop").headers["ratelimit-policy"], "\"service\";q=4;w=60");
    assert_eq!(list("shop").status, StatusCode::OK);
    for shade in 0..2 {
        let request = from(IP, upload_as(&json!({"sub": "shop", "role": "SERVICE"})));
        assert_eq!(send(&app, request, &gif(shade)).status, StatusCode::CREATED);
    }
    let refused = list("shop");
    assert_eq!(
        (refused.code(), &refused.headers["retry-after"]),
        ("RATE_LIMITED", &"15".parse().expect("text"))
    );
    assert_eq!(list("other").status, StatusCode::OK);
    for _ in 0..20 {
        assert_eq!(list("shop").code(), "RATE_LIMITED", "a back end that continues is not banned");
    }
    app.ports.set_time(NOW_MS + 60_000);
    assert_eq!(list("shop").status, StatusCode::OK);
}

#[test]
fn the_exact_limit_of_a_client_ip_counts_guests_and_unauthenticated_callers() {
    let app = app_with(&[("IP_PER_MINUTE", "3"), ("STRIKES_TO_BAN", "1")]);
    for role in ["USER", "SERVICE", "ADMIN"].repeat(5) {
        let listed = send(&app, from(IP, with_token(get("/images"), &token(role))), b"");
        assert_eq!(listed.status, StatusCode::OK, "{role}");
    }
    let guest = hs256(json!({"sub": "guest-1", "role": "GUEST"}), 60);
    let expired = hs256(json!({"sub": "123"}), -60);
    let code = |request: Builder| send(&app, from(IP, request), b"").code().to_owned();
    assert_eq!(code(with_token(get("/images"), &expired)), "TOKEN_EXPIRED", "not counted");
    assert_eq!(code(get("/images")), "TOKEN_MISSING");
    assert_eq!(code(with_token(get("/images"), "x")), "TOKEN_INVALID");
    assert_eq!(code(with_token(get("/images"), &guest)), "none");
    for _ in 0..20 {
        assert_eq!(code(with_token(get("/images"), &guest)), "RATE_LIMITED", "never a strike");
    }
    assert_eq!(code(get("/auth/guest-token")), "RATE_LIMITED");
    assert_eq!(code(with_token(get("/images"), &expired)), "TOKEN_EXPIRED");
    assert_eq!(send(&app, from(IP, upload()), PIXEL).status, StatusCode::CREATED);
    app.ports.rate_limiter.refuses.set(true);
    assert_eq!(
        code(with_token(get("/images"), &token("ADMIN"))),
        "RATE_LIMITED",
        "the flood limit"
    );
}
