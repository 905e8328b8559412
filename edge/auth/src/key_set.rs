//! The keys that the configuration gives: of an issuer, and our own.

use core::fmt;

use jwt_compact::alg::Hs256Key;

use crate::{
    jwk,
    keys::{NamedKey, UnusableKey, VerifyingKey},
    signing::{PublicJwk, PublicKey, SigningKey},
};

/// The keys that the configuration gives for one issuer.
#[derive(Default)]
pub struct KeySet(pub(crate) Vec<NamedKey>);

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
        self.0.push(NamedKey { id: None, key });
        Ok(())
    }

    /// Adds the keys of a JSON Web Key Set.
    ///
    /// # Errors
    /// When it is no key set or a key in it cannot be used.
    pub fn add_jwks(&mut self, json: &str) -> Result<(), UnusableKey> {
        let keys: Result<Vec<_>, _> = jwk::read_key_set(json)?.into_iter().collect();
        self.0.extend(keys?);
        Ok(())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySet({} keys)", self.0.len())
    }
}

/// The keys that verify the tokens issued here.
#[derive(Default)]
pub struct OwnKeys {
    pub(crate) keys: Vec<NamedKey>,
    /// As they are published (RFC 7517 §5).
    pub published: Vec<PublicJwk>,
}

impl OwnKeys {
    /// Adds the public half of the key that signs here.
    pub fn add(&mut self, signing: &SigningKey) {
        self.add_public(&signing.public());
    }

    /// Adds the key that signed here before, by its public or its private half: what it signed stays
    /// good until its time is over.
    ///
    /// # Errors
    /// When it is no P-256 key.
    pub fn add_previous(&mut self, jwk: &str) -> Result<(), UnusableKey> {
        self.add_public(&PublicKey::from_jwk(jwk)?);
        Ok(())
    }

    fn add_public(&mut self, public: &PublicKey) {
        self.published.push(public.jwk());
        self.keys
            .push(NamedKey { id: Some(public.id.clone()), key: VerifyingKey::Es256(public.key) });
    }
}

impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnKeys({} keys)", self.keys.len())
    }
}
