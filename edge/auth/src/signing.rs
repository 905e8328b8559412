//! The key that signs what is issued here, and its public half for others.

use core::fmt;

use edge_types::hex;
use hmac::{Hmac, Mac};
use jwt_compact::jwk::JsonWebKey;
use p256::ecdsa;
use serde::Serialize;
use sha2::Sha256;

use crate::keys::{Algorithm, UnusableKey};

/// The key that signs what is issued here.
pub struct SigningKey {
    pub(crate) key: ecdsa::SigningKey,
    pub(crate) id: String,
    /// The key of the pseudonyms in the log.
    names: MacKey,
    /// The key of the cookies of known browsers.
    pub devices: MacKey,
    /// The key of challenges.
    pub(crate) challenges: MacKey,
}

/// An HMAC-SHA-256 key. It cannot sign tokens.
pub struct MacKey(Vec<u8>);

impl MacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(key.to_vec())
    }

    /// From the signing key.
    fn derive(key: &[u8], purpose: &[u8]) -> Self {
        Self(Self::new(key).sign(purpose))
    }

    /// The MAC of a message: 32 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mac = self.start(message);
        mac.map(|mac| mac.finalize().into_bytes().to_vec()).unwrap_or_default()
    }

    /// Whether this is the MAC of the message, in constant time.
    pub fn verify(&self, message: &[u8], mac: &[u8]) -> bool {
        self.start(message).is_some_and(|expected| expected.verify_slice(mac).is_ok())
    }

    /// HMAC takes keys of every length (RFC 2104 §2).
    fn start(&self, message: &[u8]) -> Option<Hmac<Sha256>> {
        Hmac::<Sha256>::new_from_slice(&self.0).ok().map(|mac| mac.chain_update(message))
    }
}

/// A public key as in a key set (RFC 7517 §4).
#[derive(Clone, Debug, Serialize)]
pub struct PublicJwk {
    #[serde(flatten)]
    key: JsonWebKey<'static>,
    kid: String,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
}

impl SigningKey {
    /// From a private P-256 JWK.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_jwk(json: &str) -> Result<Self, UnusableKey> {
        let jwk: JsonWebKey<'_> = serde_json::from_str(json).map_err(|_| UnusableKey::Malformed)?;
        let key = ecdsa::SigningKey::try_from(&jwk).map_err(|_| UnusableKey::Malformed)?;
        let derive = |purpose| MacKey::derive(&key.to_bytes(), purpose);
        let names = derive(b"names in logs");
        let devices = derive(b"device cookies");
        let challenges = derive(b"challenges");
        Ok(Self { key, id: name(&jwk), names, devices, challenges })
    }

    /// The pseudonym of a user in the log: an HMAC of the id, so it is constant while this key signs, and without the key it
    /// cannot be computed even for a known id. 64 bits suffice to distinguish users.
    pub fn pseudonym(&self, user: &str) -> String {
        format!("{:016x}", leading_u64(&self.names.sign(user.as_bytes())))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey { key: *self.key.verifying_key(), id: self.id.clone() }
    }
}

/// The public half of a key that signs here, or did.
pub(crate) struct PublicKey {
    pub(crate) key: ecdsa::VerifyingKey,
    pub(crate) id: String,
}

impl PublicKey {
    /// From a P-256 JWK; a private half in it is left aside.
    pub(crate) fn from_jwk(json: &str) -> Result<Self, UnusableKey> {
        let jwk: JsonWebKey<'_> = serde_json::from_str(json).map_err(|_| UnusableKey::Malformed)?;
        let key = ecdsa::VerifyingKey::try_from(&jwk).map_err(|_| UnusableKey::Malformed)?;
        Ok(Self { key, id: name(&jwk) })
    }

    pub(crate) fn jwk(&self) -> PublicJwk {
        PublicJwk {
            key: coordinates(&self.key),
            kid: self.id.clone(),
            usage: "sig",
            alg: Algorithm::Es256.name(),
        }
    }
}

/// The kid is the thumbprint (RFC 7638), so a rotated key always has another kid.
fn name(jwk: &JsonWebKey<'_>) -> String {
    format!("{:016x}", leading_u64(&jwk.thumbprint::<Sha256>()))
}

fn coordinates(public: &ecdsa::VerifyingKey) -> JsonWebKey<'static> {
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

/// What is left of an erased user: an HMAC of the id. Its key is the id of the deployment, because the signing key is
/// rotated, and the erased must be recognised in a restored database.
pub fn erased_name(deployment_id: &str, user: &str) -> String {
    let digest = MacKey(deployment_id.into()).sign(format!("erased user\n{user}").as_bytes());
    let half = digest.get(..16).unwrap_or_default();
    format!("erased:{}", hex::encode(half))
}

/// 64 bits suffice to distinguish the few keys of a deployment.
fn leading_u64(digest: &[u8]) -> u64 {
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id)
    }
}
