//! Every request of ours is signed as the specification says.

use edge_types::Clock;
use futures_executor::block_on;
use rusty_s3::Method;
use sha2::{Digest, Sha256};

use super::{
    scripted::{NOW_MS, Reply, Scripted, Seen, parts, store, store_of},
    specification::Request,
};
use crate::{
    NewObject, ObjectMetadata, ObjectStore, Span,
    s3::{S3Store, Service, ServiceParts, sign::S3Request},
};

/// What the service would make of a request that arrived.
fn arrived(seen: &Seen, parts: &ServiceParts) -> (Request, String) {
    let (address, query) = seen.url.split_once('?').expect("signed");
    let (host, path) =
        address.strip_prefix("https://").expect("https").split_once('/').expect("a path");
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut query: Vec<_> = query
        .split('&')
        .map(|pair| pair.split_once('=').expect("a pair"))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let mut take = |name: &str| {
        let at = query.iter().position(|(known, _)| known == name)?;
        Some(query.remove(at).1)
    };
    assert_eq!(take("X-Amz-Algorithm").as_deref(), Some("AWS4-HMAC-SHA256"));
    let credential = take("X-Amz-Credential").expect("there");
    let (key_id, scope) = credential.split_once('/').expect("a scope");
    let signed = take("X-Amz-SignedHeaders").expect("there");
    let mut headers = vec![("host".to_owned(), host.to_owned())];
    headers.extend(seen.headers.iter().cloned());
    headers.retain(|(name, _)| signed.split(';').any(|signed| signed == name));
    let date = take("X-Amz-Date").expect("there");
    let expires_s = take("X-Amz-Expires").and_then(|text| text.parse().ok()).expect("there");
    let (token, signature) =
        (take("X-Amz-Security-Token"), take("X-Amz-Signature").expect("there"));
    let request = Request {
        method: seen.method.to_owned(),
        path: format!("/{}", decode(path)),
        query,
        headers,
        payload: "UNSIGNED-PAYLOAD".to_owned(),
        date,
        key_id: key_id.to_owned(),
        secret: parts.secret_access_key.clone(),
        token,
        scope: scope.to_owned(),
        expires_s,
    };
    (request, signature)
}

fn ask_for_everything(store: &S3Store<Scripted>) {
    let key = super::key();
    let object = NewObject {
        key: &key,
        bytes: b"x".to_vec(),
        format: image_rules::Format::Png,
        sha256: Sha256::digest("x").into(),
        metadata: ObjectMetadata { form_id: Some("설문-7".to_owned()), ..Default::default() },
    };
    block_on(async {
        store.put(object).await.expect("stored");
        store.head(&key).await.expect("works");
        store.get(&key, Some(Span { offset: 0, length: 1 })).await.expect("works");
        store.delete(&key).await.expect("works");
        store.list(Some("a token/+= ü"), 10).await.expect_err("no listing");
    });
}

#[test]
fn every_request_is_signed_as_the_specification_says() {
    let token = "AQoDYXdzEPT//////////wEXAMPLE+tc764==".to_owned();
    for path_style in [true, false] {
        for session_token in [None, Some(token.clone())] {
            let of =
                || ServiceParts { path_style, session_token: session_token.clone(), ..parts() };
            let replies =
                [200, 404, 404, 204, 200].map(|status| Reply::status(status).with("etag", "e"));
            let store = store_of(of(), replies);
            ask_for_everything(&store);
            for seen in store.seen() {
                let (request, signature) = arrived(&seen, &of());
                assert_eq!(request.signature(), signature, "{} {}", seen.method, request.path);
                assert_eq!(request.token, session_token);
                assert_eq!(request.scope, "20251114/eu-west-1/s3/aws4_request");
                assert_eq!(request.date, "20251114T100000Z");
                let unsigned: Vec<_> =
                    seen.headers.iter().filter(|pair| !request.headers.contains(pair)).collect();
                assert!(unsigned.iter().all(|(name, _)| name == "range"), "{unsigned:?}");
            }
        }
    }
}

#[test]
fn awkward_keys_are_encoded_once() {
    let (service, of) = (Service::new(parts()).expect("complete"), parts());
    for key in [
        "users/a b+c&d=e.png",
        "users/한글 ü.png",
        "users/100%.png",
        "users/a?b#c.png",
        "users/~-._/x",
    ] {
        let request = S3Request::object(Method::Get, key).sign(&service, NOW_MS, 1);
        let seen = Seen {
            method: "GET",
            url: request.url,
            headers: request.headers,
            body: None,
            timeout_ms: 1,
        };
        let (request, signature) = arrived(&seen, &of);
        assert_eq!(request.path, format!("/pictures/{key}"));
        assert_eq!(request.signature(), signature, "{key}");
    }
}

#[test]
fn a_signature_has_the_date_of_the_clock() {
    let store = store([]);
    assert_eq!(store.http_client.now_ms(), NOW_MS);
    let service = Service::new(parts()).expect("complete");
    for (now_ms, date) in [
        (0, "19700101T000000Z"),
        (NOW_MS + 999, "20251114T100000Z"),
        (u64::MAX, "19700101T000000Z"),
    ] {
        let request = S3Request::bucket(Method::Get).sign(&service, now_ms, 1);
        assert!(request.url.contains(&format!("X-Amz-Date={date}")), "{date}");
    }
}
