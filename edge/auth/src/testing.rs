//! For tests: a key server in memory, made-up keys, and tokens that they sign.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "only tests use this module, and a panic is a failed test"
)]

use core::cell::Cell;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge_types::{Clock, testing::TestClock};
use jwt_compact::{
    AlgorithmExt, Claims, Header,
    alg::{Es256, Hs256, Hs256Key},
    jwk::JsonWebKey,
};

use crate::{KeyServer, KeyServerError, KeyServerRequest, claims::clock};

/// A made-up secret.
pub const HS256_SECRET: &str = "a secret of the unit tests, 32 bytes and more";
/// The published example of RFC 7517 appendix A.2.
pub const SIGNING_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}"#;
/// When tests begin.
pub const NOW_MS: u64 = 1_763_000_000_000;

/// A token signed with the shared secret.
pub fn hs256(claims: serde_json::Value, lifetime_s: i64) -> String {
    let time = clock(NOW_MS).expect("valid");
    let claims = Claims::new(claims).set_duration(&time, chrono::Duration::seconds(lifetime_s));
    let key = Hs256Key::new(HS256_SECRET);
    Hs256.token(&Header::empty(), &claims, &key).expect("signs")
}

/// A token with exactly these claims, signed with [`SIGNING_JWK`].
pub fn es256(claims: serde_json::Value) -> String {
    let jwk: JsonWebKey<'_> = serde_json::from_str(SIGNING_JWK).expect("valid");
    let key = p256::ecdsa::SigningKey::try_from(&jwk).expect("valid");
    Es256.token(&Header::empty(), &Claims::new(claims), &key).expect("signs")
}

/// Answers what a test says, and records the URLs of the requests.
pub struct FakeKeyServer {
    pub answer: RefCell<Result<String, KeyServerError>>,
    pub asked: RefCell<Vec<String>>,
    /// The answers of single URLs.
    pub documents: RefCell<BTreeMap<String, String>>,
    /// The forms that were posted.
    pub forms: RefCell<Vec<String>>,
    pub delay_ms: Cell<u64>,
    clock: Rc<TestClock>,
}

impl FakeKeyServer {
    pub fn new(clock: &Rc<TestClock>) -> Self {
        Self {
            answer: RefCell::new(Ok(r#"{"keys":[]}"#.to_owned())),
            asked: RefCell::default(),
            documents: RefCell::default(),
            forms: RefCell::default(),
            delay_ms: Cell::new(0),
            clock: Rc::clone(clock),
        }
    }
}

impl KeyServer for FakeKeyServer {
    async fn send(&self, request: &KeyServerRequest<'_>) -> Result<String, KeyServerError> {
        let url = request.url;
        self.asked.borrow_mut().push(url.to_owned());
        self.forms.borrow_mut().extend(request.form.clone());
        self.clock.sleep(self.delay_ms.get()).await;
        match self.documents.borrow().get(url) {
            Some(document) => Ok(document.clone()),
            None => self.answer.borrow().clone(),
        }
    }
}
