//! Keys of every kind, generated when the tests start, and raw tokens signed with them.

use std::sync::OnceLock;

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::{
    Algorithm, AlgorithmSignature,
    alg::{Ed25519, Es256, Hs256, Hs256Key, Rsa, RsaPrivateKey},
    jwk::JsonWebKey,
};
use p256::elliptic_curve::rand_core::{OsRng, RngCore};
use serde_json::{Value, json};

use super::{HS256_SECRET, NOW_MS};

pub(crate) type Ed25519Secret = <Ed25519 as Algorithm>::SigningKey;

/// A private key that signs tokens as a platform would.
pub(crate) enum Signer {
    Hs256(Hs256Key),
    Rs256(Box<RsaPrivateKey>),
    Es256(p256::ecdsa::SigningKey),
    EdDsa(Ed25519Secret),
}

impl Signer {
    pub(crate) fn rsa(bits: usize) -> Self {
        Self::Rs256(Box::new(RsaPrivateKey::new(&mut OsRng, bits).expect("made")))
    }

    pub(crate) fn p256() -> Self {
        Self::Es256(p256::ecdsa::SigningKey::random(&mut OsRng))
    }

    pub(crate) fn ed25519() -> Self {
        let mut seed = [0; 32];
        OsRng.fill_bytes(&mut seed);
        Self::EdDsa(Ed25519Secret::from_bytes(&seed))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Hs256(key) => Hs256.sign(key, message).as_bytes().into_owned(),
            Self::Rs256(key) => Rsa::rs256().sign(key, message).as_bytes().into_owned(),
            Self::Es256(key) => {
                AlgorithmSignature::as_bytes(&Es256.sign(key, message)).into_owned()
            }
            Self::EdDsa(key) => {
                AlgorithmSignature::as_bytes(&Ed25519.sign(key, message)).into_owned()
            }
        }
    }

    /// The public key as in a key set, without a kid.
    pub(crate) fn public_jwk(&self) -> Value {
        let jwk = match self {
            Self::Hs256(_) => panic!("a shared secret has no public half"),
            Self::Rs256(key) => serde_json::to_value(JsonWebKey::from(&key.to_public_key())),
            Self::Es256(key) => serde_json::to_value(JsonWebKey::from(key.verifying_key())),
            Self::EdDsa(key) => serde_json::to_value(JsonWebKey::from(&key.verifying_key())),
        };
        jwk.expect("serialises")
    }

    /// The public key with a kid.
    pub(crate) fn named_jwk(&self, kid: &str) -> Value {
        let mut jwk = self.public_jwk();
        jwk["kid"] = json!(kid);
        jwk
    }

    /// A token with exactly this header and these claims.
    pub(crate) fn token(&self, head: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(head), encode(claims));
        let signature = encode(self.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// A valid token with this kid.
    pub(crate) fn genuine(&self, kid: &str) -> String {
        self.token(&self.head(kid), &claims(&json!({})))
    }

    /// The header of such a token.
    pub(crate) fn head(&self, kid: &str) -> String {
        json!({"alg": self.name(), "kid": kid, "typ": "JWT"}).to_string()
    }
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

/// The claims of user 123 for a minute, with some of them changed; `null` takes one away.
pub(crate) fn claims(changes: &Value) -> String {
    let mut claims = json!({"sub": "123", "exp": NOW_MS / 1000 + 60});
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims.to_string()
}

/// The platform's keys: its secret, and a key pair of each kind. Making the RSA key takes the longest,
/// so all tests share them.
pub(crate) fn platform() -> &'static [Signer; 4] {
    static PLATFORM: OnceLock<[Signer; 4]> = OnceLock::new();
    PLATFORM.get_or_init(|| {
        let secret = Signer::Hs256(Hs256Key::new(HS256_SECRET));
        [secret, Signer::rsa(2048), Signer::p256(), Signer::ed25519()]
    })
}

pub(crate) fn key_pairs() -> &'static [Signer] {
    &platform()[1..]
}

/// A key set of these keys, each named for its algorithm.
pub(crate) fn key_set(signers: &[Signer]) -> String {
    let keys: Vec<_> = signers.iter().map(|signer| signer.named_jwk(signer.name())).collect();
    json!({ "keys": keys }).to_string()
}
