//! Delivery of stored pictures.

use edge_api::{
    concurrency::Client,
    ports::{EdgeCache, Picture},
};
use edge_auth::{
    UrlKeys, UrlPurpose,
    testing::{NOW_MS, hs256},
};
use futures_executor::block_on;
use http::{Method, Request, StatusCode};
use image_rules::{Policy, inspect};
use serde_json::json;

use crate::harness::{
    BASE_URL, PIXEL, TestApp, TestResponse, app, app_with, ask, get, send, upload, upload_of,
    user_token,
};

/// The path of a stored picture.
fn stored(app: &TestApp) -> String {
    let response = send(app, upload(), PIXEL);
    format!("/{}", response.json["data"]["key"].as_str().expect("stored"))
}

#[test]
fn a_picture_is_served_whole_in_part_or_not_modified() {
    let app = app();
    let path = stored(&app);
    let get = |headers: &[(&str, &str)]| {
        let mut request = get(&path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&app, request, b"")
    };
    let whole = get(&[]);
    let etag = whole.headers["etag"].to_str().expect("text").to_owned();
    assert_eq!(whole.headers["content-length"], PIXEL.len().to_string());
    assert_eq!(whole.headers["accept-ranges"], "bytes");
    assert!(whole.headers.contains_key("last-modified"));
    assert_eq!(get(&[("if-none-match", &etag)]).status, StatusCode::NOT_MODIFIED);
    assert_eq!(get(&[("if-match", "\"other\"")]).status, StatusCode::PRECONDITION_FAILED);
    let part = get(&[("range", "bytes=0-5")]);
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers["content-range"], format!("bytes 0-5/{}", PIXEL.len()));
    let beyond = get(&[("range", "bytes=5000-")]);
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.headers["content-range"], format!("bytes */{}", PIXEL.len()));
}

/// 40 x 24 pixels.
pub const PHOTO: &[u8] = include_bytes!("../../../../tests/fixtures/jpeg/baseline-420.jpg");
/// 24 x 16 pixels.
const DRAWING: &[u8] = include_bytes!("../../../../tests/fixtures/png/rgba8.png");
const ANIMATION: &[u8] = include_bytes!("../../../../tests/fixtures/webp/animated.webp");

fn small_widths() -> TestApp {
    app_with(&[("VARIANT_WIDTHS", "16,32,64")])
}

/// The path of a picture that user 123 has uploaded.
fn uploaded(app: &TestApp, media_type: &str, bytes: &[u8]) -> String {
    let response = send(app, upload_of(media_type, &user_token()), bytes);
    format!("/{}", response.json["data"]["key"].as_str().expect("stored"))
}

fn derived(app: &TestApp) -> Vec<String> {
    app.ports.stored().into_iter().filter(|key| key.starts_with("derived/")).collect()
}

fn forget_copies(app: &TestApp) {
    app.ports.edge_cache.copies.borrow_mut().clear();
}

pub fn size_of(response: &TestResponse) -> (u32, u32) {
    let report = inspect(&response.bytes, &Policy::EDGE).expect("a picture");
    (report.width, report.height)
}

#[test]
fn a_derived_picture_is_stored_once_and_served_from_there() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    let first = send(&app, get(&format!("{path}?w=16")), b"");
    assert_eq!((first.status, size_of(&first)), (StatusCode::OK, (16, 10)));
    let key = format!("derived{}/w16-q80-2.jpeg", path.trim_end_matches(".jpeg"));
    assert_eq!(derived(&app), [key]);
    let writes = app.ports.store.writes.get();
    for _ in 0..2 {
        let again = send(&app, get(&format!("{path}?w=16")), b"");
        assert_eq!(again.bytes, first.bytes);
        assert_eq!(again.headers["etag"], first.headers["etag"], "from the cache and the store");
        forget_copies(&app);
    }
    assert_eq!(app.ports.store.writes.get(), writes);
    let part = send(&app, get(&format!("{path}?w=16")).header("range", "bytes=2-5"), b"");
    assert_eq!((part.status, &part.bytes[..]), (StatusCode::PARTIAL_CONTENT, &first.bytes[2..6]));
    // The widths are those of the picture as it is seen.
    let large = send(&app, get(&format!("{path}?w=64")), b"");
    assert_eq!(large.bytes, PHOTO, "nothing is enlarged");
    assert_eq!(derived(&app).len(), 1);
}

#[test]
fn only_listed_sizes_are_free() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    for query in [
        "w=17",
        "h=16",
        "w=16&h=16",
        "w=16&h=16&fit=cover",
        "w=16&q=50",
        "q=50",
        "v=huge",
        "v=thumb&w=16",
        "w=016",
        "w=-1",
        "w=",
        "w=16&w=16",
        "w=16&fit=fill",
        "fit=cover",
        "format=avif",
        "w=99999",
    ] {
        let response = send(&app, get(&format!("{path}?{query}")), b"");
        assert_eq!(response.code(), "MALFORMED_REQUEST", "{query}");
    }
    for query in ["", "utm_source=mail", "v=thumb", "w=32", "w=16&fit=contain", "format=jpeg"] {
        let response = send(&app, get(&format!("{path}?{query}")), b"");
        assert_eq!(response.status, StatusCode::OK, "{query}");
    }
}

#[test]
fn a_format_is_negotiated_and_each_has_a_copy_of_its_own() {
    let app = small_widths();
    let path = uploaded(&app, "image/png", DRAWING);
    let ask = |accept: &str| {
        send(&app, get(&format!("{path}?w=16&format=auto")).header("accept", accept), b"")
    };
    for _ in 0..2 {
        for (accept, types) in [
            ("image/avif,image/webp,*/*;q=0.8", "image/webp"),
            ("image/png,image/*;q=0.8,*/*;q=0.5", "image/png"),
            ("image/webp;q=0", "image/png"),
        ] {
            let response = ask(accept);
            assert_eq!(response.headers["content-type"], types, "{accept}");
            let vary: Vec<_> = response.headers.get_all("vary").into_iter().collect();
            assert_eq!(vary, ["Accept", "Origin"]);
        }
    }
    assert_eq!(derived(&app).len(), 2);
    let photo = uploaded(&app, "image/jpeg", PHOTO);
    let response = send(&app, get(&format!("{photo}?format=auto")), b"");
    assert_eq!(response.bytes, PHOTO, "a photo in full size is a JPEG in any case");
}

#[test]
fn a_photo_is_webp_where_it_is_small_and_the_caller_takes_it() {
    let app = small_widths();
    let photo = uploaded(&app, "image/jpeg", PHOTO);
    for (query, accept, types) in [
        ("w=16&format=auto", "image/webp", "image/webp"),
        ("w=16&format=webp", "*/*", "image/webp"),
        ("w=16&format=auto", "*/*", "image/jpeg"),
        ("w=16", "image/webp", "image/jpeg"),
    ] {
        let ask = get(&format!("{photo}?{query}")).header("accept", accept);
        let response = send(&app, ask, b"");
        assert_eq!(response.headers["content-type"], types, "{query} {accept}");
        assert_eq!(size_of(&response), (16, 10));
    }
    let names: Vec<_> = derived(&app)
        .into_iter()
        .filter_map(|key| key.rsplit('/').next().map(str::to_owned))
        .collect();
    assert_eq!(names, ["w16-q80-2.jpeg", "w16-webp-q80-2.webp"]);
}

#[test]
fn an_animation_is_webp_where_the_caller_takes_it_and_stays_one() {
    let app = small_widths();
    let path =
        uploaded(&app, "image/gif", include_bytes!("../../../../tests/fixtures/gif/animated.gif"));
    for (accept, types) in [("image/webp", "image/webp"), ("*/*", "image/gif")] {
        let ask = get(&format!("{path}?w=16&format=auto")).header("accept", accept);
        let response = send(&app, ask, b"");
        assert_eq!(response.headers["content-type"], types);
        let report = inspect(&response.bytes, &Policy::EDGE).expect("a picture");
        assert_eq!(report.width, 16);
        assert!(report.frames > 1, "{types}: {} frame", report.frames);
    }
}

#[test]
fn what_cannot_be_made_smaller_is_served_as_it_is() {
    let app = small_widths();
    let path = uploaded(&app, "image/webp", ANIMATION);
    for _ in 0..2 {
        let response = send(&app, get(&format!("{path}?w=16")), b"");
        assert_eq!((response.status, &response.bytes[..]), (StatusCode::OK, ANIMATION));
        let part = send(&app, get(&format!("{path}?w=16")).header("range", "bytes=0-3"), b"");
        assert_eq!(&part.bytes[..], b"RIFF");
        forget_copies(&app);
    }
    assert_eq!(derived(&app), [""; 0]);
}

#[test]
fn a_failure_is_remembered_and_the_original_is_served() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    let broken = [&PHOTO[..400], &[0; 300]].concat();
    app.ports.store.objects.borrow_mut().insert(path[1..].to_owned(), broken.clone());
    let ask = || {
        forget_copies(&app);
        send(&app, get(&format!("{path}?w=16")), b"")
    };
    assert_eq!(ask().bytes, broken);
    app.ports.store.objects.borrow_mut().insert(path[1..].to_owned(), PHOTO.to_vec());
    assert_eq!(ask().bytes, PHOTO, "not tried again");
    app.ports.set_time(NOW_MS + 301_000);
    assert_eq!(size_of(&ask()), (16, 10));
}

#[test]
fn without_the_ledger_readers_get_the_original() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    app.ports.ledger.broken.set(true);
    assert_eq!(send(&app, get(&format!("{path}?w=16")), b"").bytes, PHOTO);
    assert_eq!(derived(&app), [""; 0]);
}

#[test]
fn without_memory_in_time_readers_get_the_original_for_a_minute() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    let (scheduler, nobody) = (app.scheduler(), Client::default());
    // The pool of small bodies.
    let sizes = [512 * 1024; 40];
    let reserve = |bytes| block_on(scheduler.reserve_body(&nobody, bytes, None)).expect("free");
    let leases: Vec<_> = sizes.map(reserve).into();
    let ask = || send(&app, get(&format!("{path}?w=16")), b"");
    let busy = ask();
    assert_eq!((busy.status, &busy.bytes[..]), (StatusCode::OK, PHOTO));
    assert_eq!(busy.headers["cache-control"], "public, max-age=60, s-maxage=0");
    drop(leases);
    assert_eq!(size_of(&ask()), (16, 10), "neither a copy nor a failure is remembered");
}

#[test]
fn a_store_that_takes_nothing_does_not_keep_the_picture_from_the_reader() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    app.ports.store.broken.set(true);
    assert_eq!(size_of(&send(&app, get(&format!("{path}?w=16")), b"")), (16, 10));
    app.ports.store.broken.set(false);
    forget_copies(&app);
    send(&app, get(&format!("{path}?w=16")), b"");
    assert_eq!(derived(&app).len(), 1, "the next reader stores it");
}

#[test]
fn a_removal_takes_derived_pictures_and_copies_along() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    let read = |query: &str| send(&app, get(&format!("{path}{query}")), b"");
    for query in ["", "?w=16", "?w=32", "?v=thumb"] {
        assert_eq!(read(query).status, StatusCode::OK);
    }
    let delete = get(&format!("/images?key={}", &path[1..])).method("DELETE");
    let delete = delete.header("authorization", format!("Bearer {}", user_token()));
    assert_eq!(send(&app, delete, b"").status, StatusCode::OK);
    assert_eq!(app.ports.stored(), [""; 0]);
    for query in ["", "?w=16", "?w=32", "?v=thumb"] {
        assert_eq!(read(query).code(), "IMAGE_NOT_FOUND", "{query}");
    }
}

#[test]
fn a_copy_that_was_written_after_the_deletion_is_gone_within_five_minutes() {
    let app = small_widths();
    let path = uploaded(&app, "image/jpeg", PHOTO);
    let read = || send(&app, get(&format!("{path}?w=16")), b"");
    read();
    // Two data centres: the other one still has copies, and one more arrives there late.
    let elsewhere = app.ports.edge_cache.copies.borrow().clone();
    let delete = get(&format!("/images?key={}", &path[1..])).method("DELETE");
    let delete = delete.header("authorization", format!("Bearer {}", user_token()));
    assert_eq!(send(&app, delete, b"").status, StatusCode::OK);
    assert_eq!(read().code(), "IMAGE_NOT_FOUND");
    for (url, (_, bytes, facts, format)) in elsewhere {
        let picture = Picture { content: bytes, facts, format };
        app.ports.edge_cache.put(&url, picture);
    }
    let late = read();
    assert_eq!(late.headers["cache-control"], "public, max-age=86400, s-maxage=90");
    app.ports.set_time(NOW_MS + 89_999);
    assert_eq!(read().status, StatusCode::OK);
    app.ports.set_time(NOW_MS + 90_000);
    assert_eq!(read().code(), "IMAGE_NOT_FOUND");
}

#[test]
fn reading_from_the_store_is_limited_but_not_for_back_ends_and_copies() {
    let app = app();
    let path = stored(&app);
    assert_eq!(send(&app, get(&path), b"").status, StatusCode::OK);
    app.ports.rate_limiter.refuses_reads.set(true);
    assert_eq!(send(&app, get(&path), b"").status, StatusCode::OK, "a copy");
    assert_eq!(send(&app, get(&path).method("HEAD"), b"").status, StatusCode::OK, "a copy");
    let missing = path.replace(".gif", ".png");
    for path in [&missing, &format!("{path}?v=thumb")] {
        let refused = send(&app, get(path), b"");
        assert_eq!(refused.code(), "RATE_LIMITED");
        assert_eq!(refused.headers["retry-after"], "60");
        let with = |role: &str| {
            let token = hs256(json!({"sub": "1", "role": role}), 3600);
            send(&app, get(path).header("authorization", format!("Bearer {token}")), b"")
        };
        assert_eq!(with("USER").code(), "RATE_LIMITED");
        assert_ne!(with("SERVICE").code(), "RATE_LIMITED");
    }
}

#[test]
fn a_missing_picture_is_remembered_for_ten_seconds() {
    let app = app();
    let path = stored(&app);
    let bytes = app.ports.store.objects.borrow_mut().remove(&path[1..]).expect("stored");
    let read = || send(&app, get(&path), b"");
    assert_eq!(read().code(), "IMAGE_NOT_FOUND");
    app.ports.store.objects.borrow_mut().insert(path[1..].to_owned(), bytes);
    assert_eq!(read().code(), "IMAGE_NOT_FOUND", "the store is not asked");
    app.ports.set_time(NOW_MS + 10_000);
    assert_eq!(read().status, StatusCode::OK);
}

#[test]
fn a_host_for_pictures_serves_nothing_else() {
    let app = app_with(&[("IMAGE_BASE_URL", "https://img.example")]);
    let response = send(&app, upload(), PIXEL);
    let url = response.json["data"]["imageUrl"].as_str().expect("stored");
    assert!(url.starts_with("https://img.example/users/123/"), "{url}");
    assert_eq!(send(&app, Request::builder().uri(url), b"").status, StatusCode::OK);
    for path in ["/policy", "/images", "/healthz"] {
        let on_image_host = Request::builder().uri(format!("https://IMG.example{path}"));
        assert_eq!(send(&app, on_image_host, b"").code(), "NOT_FOUND", "{path}");
    }
    assert_eq!(send(&app, get("/policy"), b"").status, StatusCode::OK);
    // A URL that was saved before there was this host.
    let old = url.replace("https://img.example", BASE_URL);
    for named in [url, old.as_str()] {
        let claim = ask(
            &app,
            Method::POST,
            "/images/metadata",
            &json!({"sub": "123"}),
            &json!({"imageUrl": named}),
        );
        assert_eq!(claim.status, StatusCode::OK, "{named}: {}", claim.json);
    }
}

#[test]
fn only_listed_sites_show_pictures_if_there_is_a_list() {
    let app = app_with(&[("ALLOWED_REFERERS", "https://shop.example, https://blog.example")]);
    let path = stored(&app);
    let from = |referer: &str| send(&app, get(&path).header("referer", referer), b"").status;
    for referer in ["https://shop.example/a?b", "https://blog.example", "https://image.the-form/x"]
    {
        assert_eq!(from(referer), StatusCode::OK, "{referer}");
    }
    for referer in
        ["https://evil.example/", "https://shop.example.evil.example/", "http://shop.example/"]
    {
        assert_eq!(from(referer), StatusCode::NOT_FOUND, "{referer}");
    }
    assert_eq!(send(&app, get(&path), b"").status, StatusCode::OK, "mails send no referrer");
    let app = app_with(&[
        ("ALLOWED_REFERERS", "https://shop.example"),
        ("IMAGE_BASE_URL", "https://img.example"),
    ]);
    let path = stored(&app);
    for own in ["https://img.example/", "https://image.the-form/admin/"] {
        let response = send(&app, get(&path).header("referer", own), b"");
        assert_eq!(response.status, StatusCode::OK, "{own}");
    }
}

#[test]
fn readiness_is_remembered_for_two_seconds() {
    let app = app();
    let ready = || send(&app, get("/readyz"), b"").status;
    assert_eq!(ready(), StatusCode::OK);
    app.ports.store.broken.set(true);
    assert_eq!(ready(), StatusCode::OK);
    app.ports.set_time(NOW_MS + 2_000);
    assert_eq!(ready(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_signature_allows_any_size_of_one_picture() {
    const KEY: &str = "0123456789abcdef0123456789abcdef";
    let app = app_with(&[("URL_SIGNING_KEY", KEY)]);
    let (path, other) = (uploaded(&app, "image/jpeg", PHOTO), uploaded(&app, "image/png", DRAWING));
    let sign = |query: &str| UrlKeys::new(KEY, None).sign(UrlPurpose::Derive, &path, query);
    let read = |path: &str, query: &str| send(&app, get(&format!("{path}?{query}")), b"");
    let query = "w=12&h=12&fit=cover&q=50";
    let signature = sign(query);
    app.ports.rate_limiter.refuses_reads.set(true);
    let cut = read(&path, &format!("{query}&sig={signature}"));
    assert_eq!((cut.status, size_of(&cut)), (StatusCode::OK, (12, 12)), "and is not limited");
    for (path, query) in [
        (&other, format!("{query}&sig={signature}")),
        (&path, format!("w=13&h=12&fit=cover&q=50&sig={signature}")),
        (&path, format!("{query}&format=png&sig={signature}")),
        (&path, format!("{query}&sig={signature}&sig={signature}")),
        (&path, format!("{query}&sig=x")),
    ] {
        assert_eq!(read(path, &query).code(), "SIGNATURE_INVALID", "{query}");
    }
    assert_eq!(read(&path, query).code(), "MALFORMED_REQUEST");
}
