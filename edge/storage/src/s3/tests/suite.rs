//! AWS's signing suite, where it lies beside the checkout: it proves our reading of the specification,
//! and that `rusty-s3` reads it alike as far as its API goes.

use std::{fs, path::Path};

use jiff::Timestamp;
use rusty_s3::{Method, signing};
use sha2::{Digest, Sha256};

use super::specification::{EMPTY_SHA256, Request, encode, hex};

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
    let unfolded = lines.replace("\n ", " ");
    let headers = unfolded.lines().filter_map(|line| line.split_once(':'));
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

fn borrowed((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
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
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/s3-sigv4");
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
