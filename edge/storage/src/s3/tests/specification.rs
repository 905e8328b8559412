//! Signature Version 4 in the query string, read from the specification a second time and for tests
//! only, as plainly as possible.

use std::fmt::Write;

use sha2::{Digest, Sha256};

pub(crate) const EMPTY_SHA256: &str =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Everything that a signature in the query string covers, names and values in the clear.
#[derive(Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: String,
    pub(crate) date: String,
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
    pub(crate) scope: String,
    pub(crate) expires_s: u64,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
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

pub(crate) fn encode(text: &str, kept: &str) -> String {
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
    pub(crate) fn canonical(&self) -> String {
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
        let lines: Vec<_> =
            headers.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
        let lines = lines.concat();
        let path = encode(&self.path, "-._~/");
        format!("{}\n{path}\n{}\n{lines}\n{names}\n{}", self.method, query.join("&"), self.payload)
    }

    pub(crate) fn string_to_sign(&self) -> String {
        let digest = hex(&Sha256::digest(self.canonical()));
        format!("AWS4-HMAC-SHA256\n{}\n{}\n{digest}", self.date, self.scope)
    }

    pub(crate) fn signature(&self) -> String {
        let first = format!("AWS4{}", self.secret).into_bytes();
        let key = self.scope.split('/').fold(first, |key, part| hmac(&key, part));
        hex(&hmac(&key, &self.string_to_sign()))
    }

    /// The same request as `rusty-s3` signs it: for S3, with a payload that is not signed.
    pub(crate) fn as_s3(&self) -> Self {
        let scope = self.scope.replace("/service/", "/s3/");
        Self { scope, payload: "UNSIGNED-PAYLOAD".to_owned(), ..self.clone() }
    }
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
