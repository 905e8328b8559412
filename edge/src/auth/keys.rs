//! Keys, each bound to its algorithm: a token may choose among keys, never how one is used.

use core::fmt;

use jwt_compact::{alg::Hs256Key, jwk::JsonWebKey};
use p256::ecdsa;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A key that a token can be verified with.
pub(super) enum VerifyingKey {
    /// HMAC with SHA-256 and a shared secret.
    Hs256(Hs256Key),
    /// ECDSA on P-256 with SHA-256.
    Es256(ecdsa::VerifyingKey),
}

/// A key and the name that tokens know it by.
pub(super) struct NamedKey {
    pub(super) id: Option<String>,
    pub(super) key: VerifyingKey,
}

/// All keys that tokens are verified with.
#[derive(Default)]
pub struct KeySet {
    pub(super) keys: Vec<NamedKey>,
    pub(super) own: Vec<PublicJwk>,
}

/// The key text is not one that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableKey;

/// A public key as it stands in a key set (RFC 7517 §4).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PublicJwk {
    #[serde(flatten)]
    pub(super) key: JsonWebKey<'static>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub(super) usage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alg: Option<String>,
}

#[derive(Deserialize)]
struct KeySetDocument {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// RFC 7518 §3.2: a key of the size of the hash output or larger.
    const MIN_SECRET_BYTES: usize = 32;

    /// Adds the shared secret.
    ///
    /// # Errors
    /// When it is shorter than its hash.
    pub fn add_secret(&mut self, secret: &str) -> Result<(), UnusableKey> {
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(UnusableKey);
        }
        let key = VerifyingKey::Hs256(Hs256Key::new(secret.as_bytes()));
        self.keys.push(NamedKey { id: None, key });
        Ok(())
    }

    /// Adds the keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// When it is no key set or a key in it cannot be used.
    pub fn add_jwks(&mut self, json: &str) -> Result<(), UnusableKey> {
        let document: KeySetDocument = serde_json::from_str(json).map_err(|_| UnusableKey)?;
        for value in document.keys {
            let jwk: PublicJwk = serde_json::from_value(value).map_err(|_| UnusableKey)?;
            if jwk.alg.as_deref().is_some_and(|alg| alg != "ES256") || jwk.key.is_signing_key() {
                return Err(UnusableKey);
            }
            let key = ecdsa::VerifyingKey::try_from(&jwk.key).map_err(|_| UnusableKey)?;
            self.keys.push(NamedKey { id: jwk.kid, key: VerifyingKey::Es256(key) });
        }
        Ok(())
    }

    /// Adds the public half of the key that signs here, so that its tokens verify here as well.
    pub fn add_own(&mut self, signing: &SigningKey) {
        let public = *signing.key.verifying_key();
        let id = Some(signing.id.clone());
        self.own.push(PublicJwk {
            key: own_coordinates(&public),
            kid: id.clone(),
            usage: Some("sig".to_owned()),
            alg: Some("ES256".to_owned()),
        });
        self.keys.push(NamedKey { id, key: VerifyingKey::Es256(public) });
    }
}

fn own_coordinates(public: &ecdsa::VerifyingKey) -> JsonWebKey<'static> {
    let point = public.to_encoded_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| {
        bytes.map(|bytes| bytes.to_vec()).unwrap_or_default().into()
    };
    JsonWebKey::EllipticCurve {
        curve: "P-256".into(),
        x: coordinate(point.x()),
        y: coordinate(point.y()),
        secret: None,
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}

/// The key that signs what is issued here.
pub struct SigningKey {
    pub(super) key: ecdsa::SigningKey,
    pub(super) id: String,
}

impl SigningKey {
    /// From a private P-256 JWK.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_jwk(json: &str) -> Result<Self, UnusableKey> {
        let jwk: JsonWebKey<'_> = serde_json::from_str(json).map_err(|_| UnusableKey)?;
        let key = ecdsa::SigningKey::try_from(&jwk).map_err(|_| UnusableKey)?;
        // The thumbprint (RFC 7638) names the key, so a rotated key has another name by itself.
        let thumbprint = jwk.thumbprint::<Sha256>();
        let id = format!("{:016x}", leading_u64(&thumbprint));
        Ok(Self { key, id })
    }
}

/// 64 bits tell the few keys of one deployment apart.
fn leading_u64(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}
