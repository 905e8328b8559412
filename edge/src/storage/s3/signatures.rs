//! Signatures are compared with a second, independent reading of the specification. That reading is
//! itself held against AWS's signing suite where the suite lies beside the checkout, and always
//! against the example that the S3 reference publishes.

use std::{fmt::Write, fs, path::Path};

use futures_executor::block_on;
use jiff::Timestamp;
use rusty_s3::{Method, signing};
use sha2::{Digest, Sha256};

use super::{
    Outside, S3Store, Service, ServiceParts,
    scripted::{NOW_MS, Reply, Scripted, Seen, parts, store_of},
    sign::Call,
};
use crate::storage::{ObjectKey, ObjectStore, Span};

const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Everything that a signature in the query string covers, names and values in the clear.
#[derive(Clone, Default)]
struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    payload: String,
    date: String,
    key_id: String,
    secret: String,
    token: Option<String>,
    scope: String,
    expires_s: u64,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory");
        text
    })
}

/// RFC 2104.
fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner.finalize())
        .finalize()
        .to_vec()
}

fn encode(text: &str, kept: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) {
            encoded.push(byte.into());
        } else {
            write!(encoded, "%{byte:02X}").expect("memory");
        }
        encoded
    })
}

impl Request {
    fn canonical(&self) -> String {
        let mut headers: Vec<(String, Vec<String>)> = Vec::new();
        for (name, value) in &self.headers {
            let (name, value) =
                (name.to_lowercase(), value.split_whitespace().collect::<Vec<_>>().join(" "));
            match headers.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => headers.push((name, vec![value])),
            }
        }
        headers.sort();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let mut query = self.query.clone();
        query.extend([
            ("X-Amz-Algorithm".to_owned(), "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential".to_owned(), format!("{}/{}", self.key_id, self.scope)),
            ("X-Amz-Date".to_owned(), self.date.clone()),
            ("X-Amz-Expires".to_owned(), self.expires_s.to_string()),
            ("X-Amz-SignedHeaders".to_owned(), names.clone()),
        ]);
        query.extend(self.token.clone().map(|token| ("X-Amz-Security-Token".to_owned(), token)));
        let encode_pair =
            |(name, value): &(String, String)| (encode(name, "-._~"), encode(value, "-._~"));
        let mut query: Vec<_> = query.iter().map(encode_pair).collect();
        query.sort();
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let lines: String =
            headers.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
        let path = encode(&self.path, "-._~/");
        format!("{}\n{path}\n{}\n{lines}\n{names}\n{}", self.method, query.join("&"), self.payload)
    }

    fn string_to_sign(&self) -> String {
        let digest = hex(&Sha256::digest(self.canonical()));
        format!("AWS4-HMAC-SHA256\n{}\n{}\n{digest}", self.date, self.scope)
    }

    fn signature(&self) -> String {
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = self.scope.split('/').fold(first, |key, part| hmac(&key, part));
        hex(&hmac(&key, &self.string_to_sign()))
    }

    /// The same request as `rusty-s3` signs it: for S3, with a payload that is not signed.
    fn as_s3(&self) -> Self {
        let scope = self.scope.replace("/service/", "/s3/");
        Self { scope, payload: "UNSIGNED-PAYLOAD".to_owned(), ..self.clone() }
    }
}

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

#[test]
fn the_published_example_is_reproduced() {
    let example = Request {
        method: "GET".to_owned(),
        path: "/test.txt".to_owned(),
        headers: vec![("host".to_owned(), "examplebucket.s3.amazonaws.com".to_owned())],
        payload: "UNSIGNED-PAYLOAD".to_owned(),
        date: "20130524T000000Z".to_owned(),
        key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        scope: "20130524/us-east-1/s3/aws4_request".to_owned(),
        expires_s: 86_400,
        ..Request::default()
    };
    let published = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    assert_eq!(example.signature(), published);
}

fn ask_for_everything(store: &S3Store<Scripted>) {
    let key = "users/a-b_c/images/1699876543210-00000000-0000-4000-8000-000000000000.png";
    let key = ObjectKey::parse(key).expect("a key");
    let object = crate::storage::NewObject {
        key: &key,
        bytes: b"x".to_vec(),
        format: image_rules::Format::Png,
        sha256: Sha256::digest("x").into(),
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
        let request = Call::object(Method::Get, key).sign(&service, NOW_MS, 1);
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

/// One case of AWS's suite.
struct Case {
    name: String,
    request: Request,
    canonical: String,
    string_to_sign: String,
    signature: String,
}

fn read_case(folder: &Path) -> Case {
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the suite is whole");
    let context: serde_json::Value = serde_json::from_str(&read("context.json")).expect("JSON");
    let text = |pointer: &str| {
        context.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned)
    };
    let raw = read("request.txt");
    let (head, body) = raw.split_once("\n\n").unwrap_or((raw.as_str(), ""));
    let (line, lines) = head.split_once('\n').expect("a header");
    let (method, target) =
        line.strip_suffix(" HTTP/1.1").and_then(|line| line.split_once(' ')).expect("a request");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decode =
        |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let folded = lines.replace("\n ", " ");
    let headers = folded.lines().filter_map(|line| line.split_once(':'));
    let date = text("/timestamp").expect("there").replace(['-', ':'], "");
    let day = date.get(..8).expect("a date").to_owned();
    let scope = format!(
        "{day}/{}/{}/aws4_request",
        text("/region").expect("there"),
        text("/service").expect("there")
    );
    let signs_body = context["sign_body"].as_bool() == Some(true);
    let omits_token = context["omit_session_token"].as_bool() == Some(true);
    let request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: pairs.map(|(name, value)| (decode(name), decode(value))).collect(),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        payload: if signs_body { hex(&Sha256::digest(body)) } else { EMPTY_SHA256.to_owned() },
        date,
        key_id: text("/credentials/access_key_id").expect("there"),
        secret: text("/credentials/secret_access_key").expect("there"),
        token: text("/credentials/token").filter(|_| !omits_token),
        scope,
        expires_s: context["expiration_in_seconds"].as_u64().expect("there"),
    };
    Case {
        name: folder.file_name().expect("a name").to_string_lossy().into_owned(),
        request,
        canonical: read("query-canonical-request.txt"),
        string_to_sign: read("query-string-to-sign.txt"),
        signature: read("query-signature.txt"),
    }
}

/// What `rusty-s3` makes of a case; nothing where its API has no room for it.
fn signed_by_rusty_s3(request: &Request) -> Option<String> {
    let unreserved = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    // It says itself that addresses cannot hold segments of dots, and names outside of ASCII are not to be used.
    let has_dots = request.path.split('/').any(|segment| matches!(segment, "." | ".."));
    if has_dots || !request.query.iter().all(|(name, _)| unreserved(name)) {
        return None;
    }
    let method = if request.method == "POST" { Method::Post } else { Method::Get };
    let mut query = request.query.clone();
    query.sort();
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.headers {
        let (name, value) = (name.to_lowercase(), value.trim());
        match headers.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => *values = format!("{values},{value}"),
            None => headers.push((name, value.to_owned())),
        }
    }
    headers.sort();
    fn borrowed((name, value): &(String, String)) -> (&str, &str) {
        (name, value)
    }
    let date: Timestamp = "2015-08-30T12:36:00Z".parse().expect("a date");
    let path = encode(&request.path, "-._~/");
    let url = signing::sign(
        &date,
        method,
        format!("https://example.amazonaws.com{path}").parse().expect("an address"),
        &request.key_id,
        &request.secret,
        request.token.as_deref(),
        "us-east-1",
        request.expires_s,
        query.iter().map(borrowed),
        headers.iter().map(borrowed),
    );
    url.as_str().rsplit_once("X-Amz-Signature=").map(|(_, signature)| signature.to_owned())
}

#[test]
fn the_signing_suite_of_aws_agrees() {
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora/s3-sigv4");
    let Ok(folders) = fs::read_dir(&suite) else { return };
    let (mut whole, mut normalising, mut by_crate, mut beyond_crate) = (0, 0, 0, 0);
    for folder in folders {
        let case = read_case(&folder.expect("readable").path());
        let unnormalised = suite.join(case.name.replace("-normalized", "-unnormalized"));
        if case.request.canonical() == case.canonical {
            assert_eq!(case.request.string_to_sign(), case.string_to_sign, "{}", case.name);
            assert_eq!(case.request.signature(), case.signature, "{}", case.name);
            whole += 1;
        } else {
            // S3 takes paths as they are: what other services normalise, it signs as the sibling says.
            assert!(case.name.ends_with("-normalized"), "{}", case.name);
            assert_eq!(
                case.request.signature(),
                read_case(&unnormalised).signature,
                "{}",
                case.name
            );
            normalising += 1;
        }
        match signed_by_rusty_s3(&case.request.as_s3()) {
            Some(signature) => {
                assert_eq!(signature, case.request.as_s3().signature(), "{}", case.name);
                by_crate += 1;
            }
            None => beyond_crate += 1,
        }
    }
    println!(
        "signing suite: {whole} byte for byte, {normalising} path-normalising differ as S3 wants; \
         rusty-s3: {by_crate} agree, {beyond_crate} beyond its API"
    );
    assert_eq!((whole, normalising), (32, 6));
    assert_eq!((by_crate, beyond_crate), (28, 10));
}

#[test]
fn the_clock_of_the_world_outside_is_the_date_of_the_signature() {
    let store = store_of(parts(), []);
    assert_eq!(store.outside.now_ms(), NOW_MS);
    let service = Service::new(parts()).expect("complete");
    for (now_ms, date) in [
        (0, "19700101T000000Z"),
        (NOW_MS + 999, "20251114T100000Z"),
        (u64::MAX, "19700101T000000Z"),
    ] {
        let request = Call::bucket(Method::Get).sign(&service, now_ms, 1);
        assert!(request.url.contains(&format!("X-Amz-Date={date}")), "{date}");
    }
}
