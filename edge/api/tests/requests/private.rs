//! Private pictures: their keys, their signed URLs, and attacks on these.

use edge_auth::{UrlKeys, UrlPurpose, testing::NOW_MS};
use edge_types::testing::written;
use futures_executor::block_on;
use http::{Method, StatusCode, header, request::Builder};
use serde_json::{Value, json};

use crate::delivery::{PHOTO, size_of};
use crate::harness::{
    BASE_URL, PIXEL, TestApp, TestResponse, app, app_with, ask, get, gif, guest_token, send,
    upload_of, user_token,
};

pub const KEY: &str = "the key of signed URLs, 32 characters";
const OTHER_KEY: &str = "another key of signed URLs, 32 and more";
const NOW_S: u64 = NOW_MS / 1000;

fn private_app() -> TestApp {
    let app = app_with(&[("URL_SIGNING_KEY", KEY)]);
    put_form(&app, &json!({"visibility": "private"}));
    app
}

pub fn put_form(app: &TestApp, policy: &Value) -> TestResponse {
    let service = json!({"sub": "back-end", "role": "SERVICE"});
    ask(app, Method::PUT, "/forms/secret", &service, policy)
}

/// Sends a GIF to the private form.
pub fn send_picture(app: &TestApp, token: &str, shade: u8) -> TestResponse {
    send_file(app, token, "image/gif", &gif(shade))
}

/// Sends a file to the private form.
pub fn send_file(app: &TestApp, token: &str, media_type: &str, bytes: &[u8]) -> TestResponse {
    let mut body = b"--b\r\ncontent-disposition: form-data; name=\"formId\"\r\n\r\nsecret\r\n\
        --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.gif\"\r\n\
        content-type: "
        .to_vec();
    body.extend_from_slice(media_type.as_bytes());
    body.extend_from_slice(b"\r\n\r\n");
    body.extend_from_slice(bytes);
    body.extend_from_slice(b"\r\n--b--\r\n");
    send(app, upload_of("multipart/form-data; boundary=b", token), &body)
}

/// The data of a picture that was stored.
pub fn upload(app: &TestApp, token: &str, shade: u8) -> Value {
    let response = send_picture(app, token, shade);
    assert_eq!(response.status, StatusCode::CREATED, "{}", response.json);
    response.json["data"].clone()
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

/// Path and query of a URL of this deployment.
pub fn path(url: &str) -> &str {
    url.strip_prefix(BASE_URL).expect("of this deployment")
}

pub fn read(app: &TestApp, path: &str) -> TestResponse {
    send(app, get(path), b"")
}

/// A path with its query and a signature.
pub fn signed(key: &str, purpose: UrlPurpose, path: &str, query: &str) -> String {
    format!("{path}?{query}&sig={}", UrlKeys::new(key, None).sign(purpose, path, query))
}

#[test]
fn a_private_picture_is_read_with_the_url_of_the_upload_only() {
    let app = private_app();
    let data = upload(&app, &user_token(), 0);
    let key = text(&data["key"]);
    assert!(key.starts_with("private/users/123/images/"), "{key}");
    assert_eq!(
        (&data["visibility"], app.ports.stored()),
        (&json!("private"), vec![key.to_owned()])
    );
    let url = text(&data["signedUrl"]);
    let found = read(&app, path(url));
    assert_eq!(found.status, StatusCode::OK);
    assert_eq!(found.headers[header::CACHE_CONTROL], "private, max-age=300");
    assert_eq!(found.headers[header::REFERRER_POLICY], "no-referrer");
    assert_eq!(found.headers[header::CONTENT_LENGTH], PIXEL.len().to_string());
    let bare = read(&app, &format!("/{key}"));
    assert_eq!((bare.status, bare.code()), (StatusCode::FORBIDDEN, "SIGNATURE_INVALID"));
    assert_eq!(bare.json["backendCode"], "IMAGE-011");
    assert_eq!(bare.headers[header::CACHE_CONTROL], "no-store");
    let public = format!("/{}", key.strip_prefix("private/").expect("private"));
    for path in [public.clone(), public + path(url).split_once('?').map_or("", |it| it.1)] {
        assert_eq!(read(&app, &path).status, StatusCode::NOT_FOUND, "{path}");
    }
    let record = ask(&app, Method::GET, "/images/1", &json!({"sub": "123"}), &Value::Null);
    let record = &record.json["data"];
    assert_eq!(record["signedUrl"], url, "the same for some minutes");
    assert_eq!(record["imageUrl"], format!("{BASE_URL}/{key}"));
    assert_eq!(read(&app, path(text(&record["signedThumbnailUrl"]))).status, StatusCode::OK);
}

#[test]
fn a_public_picture_has_no_signed_url() {
    let app = app_with(&[("URL_SIGNING_KEY", KEY)]);
    put_form(&app, &json!({"visibility": "public"}));
    let data = upload(&app, &user_token(), 0);
    assert_eq!((&data["visibility"], &data["signedUrl"]), (&json!("public"), &Value::Null));
    let wanted = json!({"expiresIn": 60, "v": "thumb"});
    let url = ask(&app, Method::POST, "/images/1/url", &json!({"sub": "123"}), &wanted);
    let expected = format!("{}?v=thumb", text(&data["imageUrl"]));
    assert_eq!(url.json["data"], json!({"url": expected, "expiresAt": null}));
    // A size that not everybody may ask for.
    let wanted = json!({"w": 12, "h": 12, "fit": "cover"});
    let url = ask(&app, Method::POST, "/images/1/url", &json!({"sub": "123"}), &wanted);
    let url = text(&url.json["data"]["url"]);
    let (bare, sig) = url.split_once("?fit=cover&h=12&w=12&sig=").expect("signed");
    assert_eq!(bare, data["imageUrl"]);
    assert_eq!(sig.len(), 43);
    assert_eq!(read(&app, path(url)).status, StatusCode::OK);
    let keyless = app_with(&[]);
    send(&keyless, upload_of("image/gif", &user_token()), PIXEL);
    let refused = ask(&keyless, Method::POST, "/images/1/url", &json!({"sub": "123"}), &wanted);
    assert_eq!(refused.code(), "MALFORMED_REQUEST");
    assert!(text(&refused.json["detail"]).contains("URL_SIGNING_KEY"), "{}", refused.json);
}

#[test]
fn a_form_is_private_only_where_urls_can_be_signed() {
    let app = app();
    let refused = put_form(&app, &json!({"visibility": "private"}));
    assert_eq!(refused.code(), "MALFORMED_REQUEST");
    assert!(text(&refused.json["detail"]).contains("URL_SIGNING_KEY"), "{}", refused.json);
    let app = private_app();
    let policy = read(&app, "/policy?formId=secret");
    assert_eq!(policy.json["form"]["visibility"], "private");
}

#[test]
fn nothing_of_a_signed_url_can_be_changed() {
    let app = private_app();
    let token = user_token();
    let (one, two) = (upload(&app, &token, 0), upload(&app, &token, 1));
    let (url, other) = (path(text(&one["signedUrl"])), text(&two["key"]));
    let (bare, query) = url.split_once('?').expect("a query");
    let sig = query.split_once("sig=").expect("a signature").1;
    let end = |s: u64| format!("exp={s}");
    let exp = query.split_once('&').expect("two parameters").0;
    let later = exp.strip_prefix("exp=").and_then(|it| it.parse().ok()).map_or(0, |it: u64| it + 1);
    let by = |key, purpose, path: &str, query: &str| signed(key, purpose, path, query);
    let hour = end(NOW_S + 3600);
    assert_eq!(read(&app, &by(KEY, UrlPurpose::Private, bare, &hour)).status, StatusCode::OK);
    let padded = format!("exp=0{}", NOW_S + 3600);
    for altered in [
        // The path.
        format!("/{other}?{query}"),
        format!("{bare}/?{query}"),
        // The end.
        format!("{bare}?{}&sig={sig}", end(later)),
        format!("{bare}?sig={sig}"),
        by(KEY, UrlPurpose::Private, bare, &format!("exp=-{}", NOW_S + 3600)),
        by(KEY, UrlPurpose::Private, bare, &format!("exp=%31{NOW_S}")),
        by(KEY, UrlPurpose::Private, bare, "exp="),
        by(KEY, UrlPurpose::Private, bare, "exp=99999999999999999999999"),
        // A size.
        format!("{bare}?{query}&v=medium"),
        format!("{bare}?v=thumb&{query}"),
        // The signature.
        format!("{bare}?{exp}"),
        format!("{bare}?{exp}&sig="),
        format!("{bare}?{exp}&sig={sig}="),
        format!("{bare}?{exp}&sig={}", &sig[1..]),
        format!("{bare}?{exp}&sig={}", sig.to_uppercase()),
        // Duplicate and unknown parameters, also when they are signed.
        format!("{bare}?{query}&sig={sig}"),
        format!("{bare}?{query}&{exp}"),
        format!("{bare}?{query}&x=1"),
        format!("{bare}?{query}&"),
        format!("{bare}?&{query}"),
        by(KEY, UrlPurpose::Private, bare, &format!("{hour}&{hour}")),
        by(KEY, UrlPurpose::Private, bare, &format!("{hour}&v=thumb&v=medium")),
        by(KEY, UrlPurpose::Private, bare, &format!("{hour}&download=1")),
        by(KEY, UrlPurpose::Private, bare, &format!("{hour}&V=thumb")),
        // Another key, and another purpose of this one.
        by(OTHER_KEY, UrlPurpose::Private, bare, &hour),
        by(KEY, UrlPurpose::Derive, bare, &hour),
        // Another path that is signed as it is, but not as it is looked up.
        by(KEY, UrlPurpose::Private, &bare.replace("/private", ""), &hour).replacen(
            "/users",
            "/private/users",
            1,
        ),
    ] {
        let response = read(&app, &altered);
        let expected = if altered.starts_with(&format!("{bare}/")) {
            (StatusCode::NOT_FOUND, "NOT_FOUND")
        } else {
            (StatusCode::FORBIDDEN, "SIGNATURE_INVALID")
        };
        assert_eq!((response.status, response.code()), expected, "{altered}");
    }
    // Digits with a zero before them are another spelling, which only the key's owner can make.
    assert_eq!(read(&app, &by(KEY, UrlPurpose::Private, bare, &padded)).status, StatusCode::OK);
    let reordered = format!("{bare}?sig={sig}&{exp}");
    assert_eq!(read(&app, &reordered).status, StatusCode::OK, "the order does not matter");
}

#[test]
fn a_signed_url_ends_and_cannot_end_too_late() {
    let app = private_app();
    let data = upload(&app, &user_token(), 0);
    let bare = format!("/{}", text(&data["key"]));
    let until = |s: u64| signed(KEY, UrlPurpose::Private, &bare, &format!("exp={s}"));
    let week = 604_800;
    for (end, code, cache_control) in [
        (NOW_S + 1, "none", "private, max-age=1"),
        (NOW_S + 299, "none", "private, max-age=299"),
        (NOW_S + week, "none", "private, max-age=300"),
        (NOW_S + week + 1, "SIGNATURE_INVALID", "no-store"),
        (u64::MAX, "SIGNATURE_INVALID", "no-store"),
        (NOW_S, "ADDRESS_EXPIRED", "no-store"),
        (0, "ADDRESS_EXPIRED", "no-store"),
    ] {
        let response = read(&app, &until(end));
        assert_eq!(response.code(), code, "{end}");
        assert_eq!(response.headers[header::CACHE_CONTROL], cache_control, "{end}");
    }
    let url = text(&data["signedUrl"]);
    app.ports.set_time(NOW_MS + 3_600_000);
    assert_eq!(read(&app, path(url)).status, StatusCode::OK);
    app.ports.set_time(NOW_MS + 2 * 3_600_000);
    let expired = read(&app, path(url));
    assert_eq!((expired.status, expired.code()), (StatusCode::FORBIDDEN, "ADDRESS_EXPIRED"));
    assert_eq!(expired.json["backendCode"], "IMAGE-012");
    // Who has no signature does not learn whether it would have expired.
    assert_eq!(read(&app, &format!("{bare}?exp=1&sig=A")).code(), "SIGNATURE_INVALID");
}

#[test]
fn a_private_picture_is_in_no_shared_cache() {
    let app = private_app();
    let data = upload(&app, &user_token(), 0);
    let url = path(text(&data["signedUrl"])).to_owned();
    let bare = format!("/{}", text(&data["key"]));
    let thumb = signed(KEY, UrlPurpose::Private, &bare, &format!("exp={}&v=thumb", NOW_S + 60));
    let unknown = signed(KEY, UrlPurpose::Private, &bare, &format!("exp={}&v=huge", NOW_S + 60));
    assert_eq!(read(&app, &unknown).code(), "MALFORMED_REQUEST");
    let ranged = |path: &str, range: &str| send(&app, get(path).header(header::RANGE, range), b"");
    let etag = read(&app, &url).headers[header::ETAG].clone();
    let conditional = |name, value: &str| send(&app, get(&url).header(name, value), b"");
    for (response, status) in [
        (read(&app, &url), StatusCode::OK),
        (read(&app, &thumb), StatusCode::OK),
        (send(&app, get(&url).method(Method::HEAD), b""), StatusCode::OK),
        (send(&app, get(&thumb).method(Method::HEAD), b""), StatusCode::OK),
        (ranged(&url, "bytes=0-5"), StatusCode::PARTIAL_CONTENT),
        (ranged(&thumb, "bytes=0-5"), StatusCode::PARTIAL_CONTENT),
        (ranged(&url, "bytes=9999-"), StatusCode::RANGE_NOT_SATISFIABLE),
        (
            conditional(header::IF_NONE_MATCH, etag.to_str().expect("text")),
            StatusCode::NOT_MODIFIED,
        ),
        (conditional(header::IF_MATCH, "\"x\""), StatusCode::PRECONDITION_FAILED),
    ] {
        assert_eq!(response.status, status);
        let cache_control = response.headers[header::CACHE_CONTROL].to_str().expect("text");
        assert!(cache_control.starts_with("private, max-age="), "{status}: {cache_control}");
        assert_eq!(response.headers[header::REFERRER_POLICY], "no-referrer");
    }
    assert!(app.ports.edge_cache.copies.borrow().is_empty());
    // Without a signature neither a method nor a header helps.
    let bare_of = |request: Builder| send(&app, request, b"").status;
    assert_eq!(bare_of(get(&bare).method(Method::HEAD)), StatusCode::FORBIDDEN);
    assert_eq!(bare_of(get(&bare).header(header::RANGE, "bytes=0-5")), StatusCode::FORBIDDEN);
    assert_eq!(bare_of(get(&bare).header(header::IF_NONE_MATCH, "*")), StatusCode::FORBIDDEN);
}

#[test]
fn a_size_of_a_private_picture_is_signed_and_goes_with_it() {
    let app = private_app();
    let data = send_file(&app, &user_token(), "image/jpeg", PHOTO).json["data"].clone();
    let key = text(&data["key"]);
    let (bare, folder) = (format!("/{key}"), key.trim_end_matches(".jpeg"));
    let folder = folder.replacen("private/", "private/derived/", 1);
    let sign = |size: &str| {
        signed(KEY, UrlPurpose::Private, &bare, &format!("exp={}&{size}", NOW_S + 3600))
    };
    for (size, expected, name) in [
        ("w=16", (16, 10), "w16-q80-2"),
        ("fit=cover&h=12&w=12", (12, 12), "w12-h12-cover-q80-2"),
        ("h=12&q=50", (20, 12), "h12-q50-2"),
    ] {
        let before = app.ports.stored();
        let found = read(&app, &sign(size));
        assert_eq!((found.status, size_of(&found)), (StatusCode::OK, expected), "{size}");
        assert_eq!(found.headers[header::CACHE_CONTROL], "private, max-age=300");
        let mut derived = app.ports.stored();
        derived.retain(|key| !before.contains(key));
        assert_eq!(derived, [format!("{folder}/{name}.jpeg")]);
        assert_eq!(read(&app, &sign(size)).bytes, found.bytes);
        let unsigned = read(&app, &format!("/{}", derived[0]));
        assert_eq!(unsigned.code(), "NOT_FOUND", "a derived picture has no URL of its own");
    }
    let url = sign("w=16");
    for altered in [
        url.replace("w=16", "w=17"),
        url.replace("&w=16", ""),
        format!("{url}&h=12"),
        format!("{url}&format=png"),
        format!("{url}&w=16"),
        format!("{bare}?w=16"),
        signed(KEY, UrlPurpose::Derive, &bare, &format!("exp={}&w=16", NOW_S + 3600)),
    ] {
        assert_eq!(read(&app, &altered).code(), "SIGNATURE_INVALID", "{altered}");
    }
    assert!(app.ports.edge_cache.copies.borrow().is_empty());
    let deleted = ask(&app, Method::DELETE, "/images/1", &json!({"sub": "123"}), &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    assert_eq!(app.ports.stored(), [""; 0]);
    assert_eq!(read(&app, &url).code(), "IMAGE_NOT_FOUND");
}

#[test]
fn urls_of_a_rotated_key_work_until_it_is_dropped() {
    let old = private_app();
    let data = upload(&old, &user_token(), 0);
    let url = path(text(&data["signedUrl"])).to_owned();
    let moved = |variables: &[(&str, &str)]| {
        let app = app_with(variables);
        *app.ports.store.objects.borrow_mut() = old.ports.store.objects.borrow().clone();
        app
    };
    let rotated = moved(&[("URL_SIGNING_KEY", OTHER_KEY), ("URL_SIGNING_KEY_PREVIOUS", KEY)]);
    assert_eq!(read(&rotated, &url).status, StatusCode::OK);
    let (bare, query) = url.split_once('?').expect("a query");
    let end = query.split_once('&').expect("two parameters").0;
    let new = signed(OTHER_KEY, UrlPurpose::Private, bare, end);
    assert_eq!(read(&rotated, &new).status, StatusCode::OK);
    let dropped = moved(&[("URL_SIGNING_KEY", OTHER_KEY)]);
    assert_eq!(read(&dropped, &url).code(), "SIGNATURE_INVALID");
    for keyless in [moved(&[]), moved(&[("URL_SIGNING_KEY_PREVIOUS", KEY)])] {
        assert_eq!(read(&keyless, &url).code(), "SIGNATURE_INVALID");
    }
}

#[test]
fn the_owner_and_back_ends_get_urls_for_a_time() {
    let app = private_app();
    let data = upload(&app, &user_token(), 0);
    let sign =
        |claims: &Value, wanted: Value| ask(&app, Method::POST, "/images/1/url", claims, &wanted);
    for role in ["USER", "SERVICE", "ADMIN"] {
        let sub = if role == "USER" { "123" } else { "other" };
        let signed = sign(&json!({"sub": sub, "role": role}), json!({"expiresIn": 60}));
        assert_eq!(signed.status, StatusCode::OK, "{role}: {}", signed.json);
        assert_eq!(signed.json["message"], "sign_image_url_success");
        assert_eq!(signed.json["data"]["expiresAt"], "2025-11-13T02:14:20.000Z");
        let found = read(&app, path(text(&signed.json["data"]["url"])));
        assert_eq!(found.headers[header::CACHE_CONTROL], "private, max-age=60");
    }
    let look_ups: Vec<_> =
        app.ports.registry.events.borrow().iter().map(|it| it.kind.clone()).collect();
    assert_eq!(look_ups, ["lookup"], "that of the administrator");
    let user = json!({"sub": "123"});
    let thumb = sign(&user, json!({"v": "thumb"}));
    let url = text(&thumb.json["data"]["url"]);
    assert!(url.contains(&format!("exp={}&v=thumb&sig=", NOW_S + 3600)), "{url}");
    assert_eq!(read(&app, path(url)).status, StatusCode::OK);
    let wide = sign(&user, json!({"w": 300, "format": "auto"}));
    let url = text(&wide.json["data"]["url"]);
    assert!(url.contains(&format!("exp={}&format=auto&w=300&sig=", NOW_S + 3600)), "{url}");
    assert_eq!(read(&app, path(url)).status, StatusCode::OK);
    assert_eq!(sign(&json!({"sub": "124"}), json!({})).code(), "USER_MISMATCH");
    let missing = ask(&app, Method::POST, "/images/2/url", &user, &json!({}));
    assert_eq!(missing.code(), "IMAGE_NOT_FOUND");
    for wrong in [
        json!({"expiresIn": 0}),
        json!({"expiresIn": 604_801}),
        json!({"expiresIn": -1}),
        json!({"expiresIn": "60"}),
        json!({"v": "huge"}),
        json!({"v": "thumb", "w": 300}),
        json!({"format": "avif"}),
        json!({"fit": "contain&w=300"}),
        json!({"w": "300"}),
        json!({"size": "thumb"}),
    ] {
        assert_eq!(sign(&user, wrong.clone()).code(), "MALFORMED_REQUEST", "{wrong}");
    }
    let key = text(&data["key"]);
    let wrong = ask(&app, Method::POST, "/images/metadata", &user, &json!({"imageUrl": url}));
    assert_eq!(wrong.code(), "INVALID_IMAGE_URL", "a signed URL is no name of a picture");
    let own = ask(&app, Method::POST, "/images/metadata", &user, &json!({"key": key}));
    assert_eq!(own.status, StatusCode::OK);
}

#[test]
fn no_line_of_the_log_has_a_signature() {
    let app = private_app();
    let url = path(text(&upload(&app, &user_token(), 0)["signedUrl"])).to_owned();
    let sig = url.split_once("sig=").expect("a signature").1.to_owned();
    written();
    read(&app, &url);
    app.ports.store.objects.borrow_mut().clear();
    read(&app, &url);
    read(&app, &url.replace("exp=", "exp=1"));
    app.ports.set_time(NOW_MS + 86_400_000);
    read(&app, &url);
    let lines = written().join("\n");
    assert_eq!(lines.matches("\"picture\"").count(), 4, "{lines}");
    for secret in [&*sig, "sig=", "exp=", "/private/"] {
        assert!(!lines.contains(secret), "{secret} in {lines}");
    }
}

#[test]
fn a_private_picture_expires_is_claimed_repeated_and_deleted_as_others() {
    let app = private_app();
    let guest = guest_token(&app);
    let key = text(&upload(&app, &guest, 0)["key"]).to_owned();
    upload(&app, &guest, 1);
    let user = json!({"sub": "7"});
    let claim = json!({"key": key, "guestToken": guest});
    let claimed = ask(&app, Method::POST, "/images/metadata", &user, &claim);
    assert_eq!(claimed.status, StatusCode::CREATED, "{}", claimed.json);
    app.ports.set_time(NOW_MS + 3_600_000);
    block_on(app.ports.ledger.run_alarms());
    assert_eq!(app.ports.stored(), [&*key], "the unclaimed one has expired");
    let deleted = ask(&app, Method::DELETE, "/images/1", &user, &Value::Null);
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.json);
    assert!(app.ports.stored().is_empty());
    assert!(app.ports.registry.keys().is_empty());
}

#[test]
fn an_upload_that_failed_leaves_no_private_object() {
    let app = private_app();
    app.ports.registry.silent.set(true);
    assert_eq!(send_picture(&app, &user_token(), 0).code(), "BUSY");
    app.ports.registry.silent.set(false);
    // The ledger dies after the object was written.
    app.ports.ledger.restart();
    app.ports.set_time(NOW_MS + 600_000);
    block_on(app.ports.ledger.run_alarms());
    assert!(app.ports.stored().is_empty() && app.ports.registry.keys().is_empty());
}
