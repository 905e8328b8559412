//! Public keys from a JSON Web Key Set (RFC 7517): each one usable, or why not. Whether one that is
//! not usable spoils the set is the reader's affair.

use jwt_compact::{alg::RsaPublicKey, jwk::JsonWebKey};
use p256::ecdsa;
use serde::Deserialize;
use serde_json::Value;

use crate::{
    duplicate_members::check_members,
    keys::{Ed25519Key, NamedKey, UnusableKey, VerifyingKey},
};

/// RFC 7518 §3.3: a key of 2048 bits or larger.
const MIN_RSA_BITS: usize = 2048;

/// Issuers publish two to ten keys. A token without a `kid` is tried against each, and an RSA key takes
/// about 3 ms: 32 of them a tenth of a second.
const MAX_KEYS: usize = 32;

/// The members that hold what must stay secret (RFC 7518 §6.2.2, §6.3.2, §6.4.1; RFC 8037 §2).
const SECRET_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[derive(Deserialize)]
struct KeySetDocument {
    keys: Vec<Value>,
}

/// What a key says about its use (RFC 7517 §4).
#[derive(Deserialize)]
struct Purpose {
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
}

impl Purpose {
    fn is_verifying(&self) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"))
    }
}

/// The keys of a set, one by one.
pub(crate) fn read_key_set(json: &str) -> Result<Vec<Result<NamedKey, UnusableKey>>, UnusableKey> {
    if check_members(json.as_bytes()).is_err() {
        return Err(UnusableKey::NotAKeySet);
    }
    let document: KeySetDocument =
        serde_json::from_str(json).map_err(|_| UnusableKey::NotAKeySet)?;
    Ok(document.keys.into_iter().take(MAX_KEYS).map(read_key).collect())
}

fn read_key(jwk: Value) -> Result<NamedKey, UnusableKey> {
    // Before anything else, and by name: the library overlooks a private part that is incomplete.
    if SECRET_MEMBERS.iter().any(|member| jwk.get(member).is_some()) {
        return Err(UnusableKey::Secret);
    }
    let purpose = Purpose::deserialize(&jwk).map_err(|_| UnusableKey::Malformed)?;
    if !purpose.is_verifying() {
        return Err(UnusableKey::Purpose);
    }
    let key = verifying_key(&serde_json::from_value(jwk).map_err(|_| UnusableKey::Malformed)?)?;
    if purpose.alg.is_some_and(|alg| alg != key.algorithm().name()) {
        return Err(UnusableKey::Algorithm);
    }
    Ok(NamedKey { id: purpose.kid, key })
}

fn verifying_key(jwk: &JsonWebKey<'_>) -> Result<VerifyingKey, UnusableKey> {
    match jwk {
        JsonWebKey::Rsa { modulus, .. } => {
            if bits(modulus) < MIN_RSA_BITS {
                return Err(UnusableKey::Weak);
            }
            let key = RsaPublicKey::try_from(jwk).map_err(|_| UnusableKey::Malformed)?;
            Ok(VerifyingKey::Rs256(Box::new(key)))
        }
        JsonWebKey::EllipticCurve { .. } => {
            let key = ecdsa::VerifyingKey::try_from(jwk).map_err(|_| UnusableKey::Malformed)?;
            Ok(VerifyingKey::Es256(key))
        }
        JsonWebKey::KeyPair { .. } => {
            let key = Ed25519Key::try_from(jwk).map_err(|_| UnusableKey::Malformed)?;
            // A point of small order verifies signatures that nobody made.
            if key.is_weak() { Err(UnusableKey::Weak) } else { Ok(VerifyingKey::EdDsa(key)) }
        }
        // A shared secret has been refused by its member.
        _ => Err(UnusableKey::Malformed),
    }
}

/// How many bits a big-endian number has.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().skip_while(|byte| **byte == 0);
    let leading_zeros = significant.clone().next().map_or(0, |byte| byte.leading_zeros() as usize);
    significant.count() * 8 - leading_zeros
}
