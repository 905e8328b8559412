//! Delivery of stored pictures.

use http::{Request, StatusCode};

use crate::harness::{PIXEL, TestApp, app, get, send, upload};

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

#[test]
fn a_variant_is_derived_once_and_only_in_known_sizes() {
    let app = app();
    let path = stored(&app);
    let get = |query: &str| send(&app, get(&format!("{path}?{query}")), b"");
    let thumb = get("v=thumb");
    assert_eq!(thumb.status, StatusCode::OK);
    assert_eq!(thumb.headers["content-type"], "image/gif");
    let url = format!("https://edge.example{path}?v=thumb");
    let part = send(&app, Request::get(url).header("range", "bytes=6-9"), b"");
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.headers["content-range"], format!("bytes 6-9/{}", PIXEL.len()));
    assert_eq!(part.headers["content-length"], "4");
    app.ports.store.objects.borrow_mut().clear();
    assert_eq!(get("v=thumb").status, StatusCode::OK, "served from the cache");
    assert_eq!(get("v=medium").json["code"], "IMAGE_NOT_FOUND");
    assert_eq!(get("v=huge").json["code"], "MALFORMED_REQUEST");
}
