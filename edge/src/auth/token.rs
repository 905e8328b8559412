//! A token as it was presented: well-formed, with nothing in its header that would have us trust it,
//! and not yet believed in anything.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::UntrustedToken;
use serde_json::{Map, Value};

use super::{keys::Algorithm, unique::has_unique_members};

/// A token of ours has about 400 bytes; one with many claims of a platform's own rarely 2,000.
const MAX_BYTES: usize = 8192;

/// Header members by which a token would bring its own key (`jwk`, `x5c`), have one fetched (`jku`,
/// `x5u`), or change how it is to be read (`crit`, RFC 7515 §4.1.11; `b64`, RFC 7797 §7). Ignoring
/// them would be enough; who sends them is no issuer that we work with.
const REFUSED_MEMBERS: [&str; 6] = ["jwk", "jku", "x5u", "x5c", "crit", "b64"];

/// A well-formed token.
pub(super) struct Presented<'a>(UntrustedToken<'a>);

impl<'a> Presented<'a> {
    /// Takes the three parts apart. The decoder takes base64url as RFC 7515 §2 writes it and nothing
    /// else: no padding, no white space, no stray last bits.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (head, rest) = text.split_once('.')?;
        let (claims, _signature) = rest.split_once('.')?;
        let head = Base64UrlUnpadded::decode_vec(head).ok()?;
        let claims = Base64UrlUnpadded::decode_vec(claims).ok()?;
        if !has_unique_members(&head) || !has_unique_members(&claims) {
            return None;
        }
        let head: Map<String, Value> = serde_json::from_slice(&head).ok()?;
        if REFUSED_MEMBERS.iter().any(|member| head.contains_key(*member)) {
            return None;
        }
        UntrustedToken::new(text).ok().map(Self)
    }

    /// The name of the key that it says it was signed with.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.0.header().key_id.as_deref()
    }

    /// Whether a key that everybody may see could verify it. This decides only whether a key server
    /// is worth asking; how a key is used is the key's own affair.
    pub(super) fn has_public_algorithm(&self) -> bool {
        Algorithm::PUBLIC.iter().any(|algorithm| algorithm.name() == self.0.algorithm())
    }

    /// For the keys to check.
    pub(super) const fn untrusted(&self) -> &UntrustedToken<'a> {
        &self.0
    }
}
