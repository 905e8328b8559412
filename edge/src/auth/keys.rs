//! Keys, each bound to its algorithm: a token may choose among keys, never how one is used.

use core::fmt;

use jwt_compact::{
    AlgorithmExt, Token, UntrustedToken,
    alg::{Ed25519, Es256, Hs256, Hs256Key, Rsa, RsaPublicKey},
};
use p256::ecdsa;
use serde::de::DeserializeOwned;

use super::{
    claims::{TokenClaims, Verified},
    jwk,
    signing::{PublicJwk, PublicKey, SigningKey},
    token::Presented,
};

/// What the library takes for a key on Curve25519.
pub(super) type Ed25519Key = <Ed25519 as jwt_compact::Algorithm>::VerifyingKey;

/// The algorithms that keys here can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// Those whose verifying key may be seen by everybody.
    pub(super) const PUBLIC: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// As headers and keys write it (RFC 7518 §3.1, RFC 8037 §3.1).
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that a token can be verified with.
pub(super) enum VerifyingKey {
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
    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Hs256(_) => Algorithm::Hs256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::Es256(_) => Algorithm::Es256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }
}

/// Whose tokens a key verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Those issued here.
    Here,
    /// Those of the platform that we work for.
    Platform,
}

/// A key and the name that tokens know it by.
pub(super) struct NamedKey {
    pub(super) id: Option<String>,
    pub(super) key: VerifyingKey,
    pub(super) origin: Origin,
}

impl NamedKey {
    /// Whether a token that names this key, or none, may have been signed with it. A key without a
    /// name, as a shared secret is, stands for every token of its algorithm.
    fn may_have_signed(&self, wanted: Option<&str>) -> bool {
        let named = self.id.as_deref();
        wanted.is_none() || named.is_none() || named == wanted
    }

    /// The token as this key reads it, when this key signed it with this key's algorithm.
    pub(super) fn check<T: DeserializeOwned>(
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

/// The first of the keys that signed a token, and what it says.
pub(super) fn verify(keys: &[NamedKey], token: &Presented<'_>) -> Option<Verified> {
    let wanted = token.key_id();
    keys.iter().filter(|key| key.may_have_signed(wanted)).find_map(|key| {
        let (_head, claims) = key.check::<TokenClaims>(token.untrusted())?.into_parts();
        Some(Verified { claims, origin: key.origin })
    })
}

/// Whether a token names one of the public keys and says to be signed with a shared secret: the attempt
/// to have the public key taken for the secret.
pub(super) fn are_confused_by(keys: &[NamedKey], token: &Presented<'_>) -> bool {
    token.has_secret_algorithm()
        && token.key_id().is_some_and(|wanted| {
            keys.iter().any(|key| {
                key.id.as_deref() == Some(wanted) && key.key.algorithm() != Algorithm::Hs256
            })
        })
}

/// The keys that the configuration gives.
#[derive(Default)]
pub struct KeySet {
    pub(super) keys: Vec<NamedKey>,
    pub(super) own: Vec<PublicJwk>,
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
    /// What it should have been.
    #[must_use]
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

impl KeySet {
    /// RFC 7518 §3.2: a key of the size of the hash output or larger.
    const MIN_SECRET_BYTES: usize = 32;

    /// Adds the shared secret.
    ///
    /// # Errors
    /// When it is shorter than its hash.
    pub fn add_secret(&mut self, secret: &str) -> Result<(), UnusableKey> {
        if secret.len() < Self::MIN_SECRET_BYTES {
            return Err(UnusableKey::Short);
        }
        let key = VerifyingKey::Hs256(Hs256Key::new(secret.as_bytes()));
        self.keys.push(NamedKey { id: None, key, origin: Origin::Platform });
        Ok(())
    }

    /// Adds the keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// When it is no key set or a key in it cannot be used.
    pub fn add_jwks(&mut self, json: &str) -> Result<(), UnusableKey> {
        let keys: Result<Vec<_>, _> = jwk::read_key_set(json)?.into_iter().collect();
        self.keys.extend(keys?);
        Ok(())
    }

    /// Adds the public half of the key that signs here, so that its tokens verify here as well.
    pub fn add_own(&mut self, signing: &SigningKey) {
        self.add_here(&signing.public());
    }

    /// Adds the key that signed here before, by its public or its private half: what it signed stays
    /// good until its time is over.
    ///
    /// # Errors
    /// When it is no P-256 key.
    pub fn add_previous(&mut self, jwk: &str) -> Result<(), UnusableKey> {
        self.add_here(&PublicKey::from_jwk(jwk)?);
        Ok(())
    }

    fn add_here(&mut self, public: &PublicKey) {
        let key = VerifyingKey::Es256(public.key);
        self.own.push(public.jwk());
        self.keys.push(NamedKey { id: Some(public.id.clone()), key, origin: Origin::Here });
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.keys.len())
    }
}
