//! A token as it was presented: well-formed, with nothing in its header that would have us trust it,
//! and not yet believed in anything.

use base64ct::{Base64UrlUnpadded, Encoding};
use jwt_compact::UntrustedToken;
use serde_json::{Map, Value};

use crate::{
    duplicate_members::{MemberFlaw, check_members},
    keys::{Algorithm, NamedKey},
};

/// A token of ours has about 400 bytes; one with many claims of a platform's own rarely 2,000.
const MAX_BYTES: usize = 8192;

/// Header members by which a token would bring its own key or have one fetched. Ignoring them would be
/// enough; no issuer that we work with sends them.
const KEY_MEMBERS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// Header members that change how a token is to be read (RFC 7515 §4.1.11, RFC 7797 §7); an issuer may
/// mean well with them.
const UNREAD_MEMBERS: [&str; 2] = ["crit", "b64"];

/// Why a text is not a token to be verified.
pub(crate) enum TokenFlaw {
    /// It is no token, or one that is not read here.
    Malformed,
    /// No issuer makes such a token.
    Hostile,
}

pub(crate) struct PresentedToken<'a> {
    token: UntrustedToken<'a>,
    issuer: Option<String>,
}

impl<'a> PresentedToken<'a> {
    /// Takes the three parts apart. The decoder takes base64url as RFC 7515 §2 writes it and nothing
    /// else: no padding, no white space, no stray last bits.
    pub(crate) fn parse(text: &'a str) -> Result<Self, TokenFlaw> {
        use TokenFlaw::{Hostile, Malformed};
        if text.len() > MAX_BYTES {
            return Err(Malformed);
        }
        let (head, rest) = text.split_once('.').ok_or(Malformed)?;
        let (claims, _signature) = rest.split_once('.').ok_or(Malformed)?;
        let [head, claims] =
            [head, claims].map(|part| Base64UrlUnpadded::decode_vec(part).map_err(|_| Malformed));
        let (head, claims) = (head?, claims?);
        for json in [&head, &claims] {
            check_members(json).map_err(|flaw| match flaw {
                MemberFlaw::NotJson => Malformed,
                MemberFlaw::Twice => Hostile,
            })?;
        }
        let [head, claims] =
            [head, claims].map(|json| serde_json::from_slice(&json).map_err(|_| Malformed));
        let (head, mut claims): (Map<String, Value>, Map<String, Value>) = (head?, claims?);
        let algorithm = head.get("alg").and_then(Value::as_str);
        if algorithm.is_some_and(|name| name.eq_ignore_ascii_case("none"))
            || KEY_MEMBERS.iter().any(|member| head.contains_key(*member))
        {
            return Err(Hostile);
        }
        if UNREAD_MEMBERS.iter().any(|member| head.contains_key(*member)) {
            return Err(Malformed);
        }
        let issuer = match claims.remove("iss") {
            None | Some(Value::Null) => None,
            Some(Value::String(issuer)) => Some(issuer),
            Some(_) => return Err(Malformed),
        };
        let token = UntrustedToken::new(text).map_err(|_| Malformed)?;
        Ok(Self { token, issuer })
    }

    /// Whom it says it was issued by. It chooses among the configured issuers by this.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The name of the key that it says it was signed with.
    pub(crate) fn key_id(&self) -> Option<&str> {
        self.token.header().key_id.as_deref()
    }

    /// Whether a key that everybody may see could verify it. This decides only whether a key server
    /// is worth asking; how a key is used is the key's own affair.
    pub(crate) fn has_public_algorithm(&self) -> bool {
        Algorithm::PUBLIC.iter().any(|algorithm| algorithm.name() == self.token.algorithm())
    }

    /// Whether it says that its signature is a MAC with a shared secret.
    pub(crate) fn has_secret_algorithm(&self) -> bool {
        ["HS256", "HS384", "HS512"].contains(&self.token.algorithm())
    }

    /// Whether the token names one of the public keys and says to be signed with a shared secret: the attempt
    /// to have the public key taken for the secret.
    pub(crate) fn confuses_one_of(&self, keys: &[NamedKey]) -> bool {
        self.has_secret_algorithm()
            && self.key_id().is_some_and(|wanted| {
                keys.iter().any(|key| {
                    key.id.as_deref() == Some(wanted) && key.key.algorithm() != Algorithm::Hs256
                })
            })
    }

    pub(crate) const fn untrusted(&self) -> &UntrustedToken<'a> {
        &self.token
    }
}
