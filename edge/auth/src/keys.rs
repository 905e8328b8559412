//! Keys, each bound to its algorithm: a token may choose among keys, never how one is used.

use jwt_compact::{
    AlgorithmExt, Token, UntrustedToken,
    alg::{Ed25519, Es256, Hs256, Hs256Key, Rsa, RsaPublicKey},
};
use p256::ecdsa;
use serde::de::DeserializeOwned;

/// What the library takes for a key on Curve25519.
pub(crate) type Ed25519Key = <Ed25519 as jwt_compact::Algorithm>::VerifyingKey;

/// The algorithms that keys here can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Those whose verifying key may be seen by everybody.
    pub(crate) const PUBLIC: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// As headers and keys write it (RFC 7518 §3.1, RFC 8037 §3.1).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that a token can be verified with.
pub(crate) enum VerifyingKey {
    /// HMAC with SHA-256 and a shared secret.
    Hs256(Hs256Key),
    /// RSA with PKCS #1 v1.5 and SHA-256.
    Rs256(Box<RsaPublicKey>),
    /// ECDSA on P-256 with SHA-256.
    Es256(ecdsa::VerifyingKey),
    /// Ed25519.
    EdDsa(Ed25519Key),
}

impl VerifyingKey {
    /// The only algorithm that it is used with.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

/// A key and the name that tokens know it by.
pub(crate) struct NamedKey {
    pub(crate) id: Option<String>,
    pub(crate) key: VerifyingKey,
}

impl NamedKey {
    /// Whether a token that names this key, or none, may have been signed with it. A key without a
    /// name, as a shared secret is, stands for every token of its algorithm.
    pub(crate) fn may_have_signed(&self, wanted: Option<&str>) -> bool {
        let named = self.id.as_deref();
        wanted.is_none() || named.is_none() || named == wanted
    }

    /// The token as this key reads it, when this key signed it with this key's algorithm.
    pub(crate) fn check<T: DeserializeOwned>(
        &self,
        token: &UntrustedToken<'_>,
    ) -> Option<Token<T>> {
        match &self.key {
            // The library compares MACs through `subtle`, in a time that says nothing of where they
            // differ; the others check signatures, where there is no secret to find out.
            VerifyingKey::Hs256(key) => Hs256.validator(key).validate(token),
            VerifyingKey::Rs256(key) => Rsa::rs256().validator(key).validate(token),
            VerifyingKey::Es256(key) => Es256.validator(key).validate(token),
            VerifyingKey::EdDsa(key) => Ed25519.validator(key).validate(token),
        }
        .ok()
    }
}

/// Why a key text cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnusableKey {
    /// A shared secret shorter than its hash.
    Short,
    /// No JSON Web Key Set, or one with a member twice.
    NotAKeySet,
    /// A shared secret or the private half of a key, where everybody may look.
    Secret,
    /// Meant for something other than verifying.
    Purpose,
    /// Named for an algorithm that is not the one of its type.
    Algorithm,
    /// So small that it can be broken.
    Weak,
    /// Incomplete, of another type or curve, or no point of its curve.
    Malformed,
}

impl UnusableKey {
    pub const fn expected(self) -> &'static str {
        match self {
            Self::Short => "at least 32 bytes",
            Self::NotAKeySet => "a JSON Web Key Set, {\"keys\":[…]}, with no member twice",
            Self::Secret => "public keys only, without a shared secret or a private part",
            Self::Purpose => "keys that verify: use sig, key_ops with verify, or neither",
            Self::Algorithm => "keys whose alg is RS256 (RSA), ES256 (EC), EdDSA (OKP) or absent",
            Self::Weak => "RSA keys of at least 2048 bits, and Ed25519 keys of full order",
            Self::Malformed => "complete RSA (up to 4096 bits), P-256 or Ed25519 keys",
        }
    }
}
