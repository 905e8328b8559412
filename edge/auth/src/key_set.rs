//! The keys that the configuration gives.

use core::fmt;

use jwt_compact::alg::Hs256Key;

use crate::{
    jwk,
    keys::{NamedKey, Origin, UnusableKey, VerifyingKey},
    signing::{PublicJwk, PublicKey, SigningKey},
};

/// The keys that the configuration gives.
#[derive(Default)]
pub struct KeySet {
    pub(crate) keys: Vec<NamedKey>,
    /// The public keys of the tokens issued here (RFC 7517 §5).
    pub own: Vec<PublicJwk>,
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
