//! The cookie of a browser that has logged in: strangers who guess passwords of the same address do not throttle it
//! (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
//!
//! It is signed and bound to the e-mail address, and is no credential: it only selects the throttle.

use core::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_auth::SigningKey;
use edge_types::{Email, Random, hex};
use http::{HeaderValue, request::Parts};

use super::cookie::{ATTRIBUTES, cookie_value};

/// The prefix as for the refresh token: no other host can plant one.
const NAME: &str = "__Host-device";
/// A year; browsers keep cookies for 400 days at most.
const LIFETIME_S: u32 = 31_536_000;
const ID_BYTES: usize = 16;
const EXPIRY_BYTES: usize = 8;
const MAC_BYTES: usize = 32;

/// Identifies a browser that has logged in with an e-mail address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct DeviceId([u8; ID_BYTES]);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl DeviceId {
    pub(super) fn new(random: &impl Random) -> Self {
        Self(random.random())
    }

    /// Reads the cookie. [`None`] without one, and for one that has expired, was made for another e-mail address, or
    /// was not made with the current signing key.
    pub(super) fn read(
        head: &Parts,
        signing: &SigningKey,
        email: &Email,
        now_ms: u64,
    ) -> Option<Self> {
        let mut bytes = [0; ID_BYTES + EXPIRY_BYTES + MAC_BYTES];
        let bytes = Base64UrlUnpadded::decode(cookie_value(head, NAME).ok()??, &mut bytes).ok()?;
        let (id, rest) = bytes.split_first_chunk::<ID_BYTES>()?;
        let (expiry, mac) = rest.split_first_chunk::<EXPIRY_BYTES>()?;
        let is_good = signing.devices.verify(&message(email, *id, *expiry), mac);
        (is_good && u64::from_be_bytes(*expiry) > now_ms).then_some(Self(*id))
    }

    /// The value of `Set-Cookie`.
    pub(super) fn set_cookie(
        &self,
        signing: &SigningKey,
        email: &Email,
        now_ms: u64,
    ) -> Option<HeaderValue> {
        let expiry = now_ms.saturating_add(u64::from(LIFETIME_S) * 1000).to_be_bytes();
        let mac = signing.devices.sign(&message(email, self.0, expiry));
        let text = Base64UrlUnpadded::encode_string(&[&self.0[..], &expiry, &mac].concat());
        HeaderValue::try_from(format!("{NAME}={text}; Max-Age={LIFETIME_S}; {ATTRIBUTES}")).ok()
    }
}

/// Parts of fixed length first, so that no two cookies have the same message.
fn message(email: &Email, id: [u8; ID_BYTES], expiry: [u8; EXPIRY_BYTES]) -> Vec<u8> {
    [&id[..], &expiry, email.as_str().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use edge_auth::testing::{NOW_MS, SIGNING_JWK};
    use http::{Request, header};

    use super::*;

    /// The key of RFC 7515, appendix A.3.
    const OTHER_JWK: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;

    fn signing(jwk: &str) -> SigningKey {
        SigningKey::from_jwk(jwk).expect("a key")
    }

    fn email(text: &str) -> Email {
        Email::parse(text).expect("an address")
    }

    fn read(cookie: &str, jwk: &str, address: &str, now_ms: u64) -> Option<String> {
        let request = Request::builder().header(header::COOKIE, cookie);
        let head = request.body(()).expect("valid").into_parts().0;
        let id = DeviceId::read(&head, &signing(jwk), &email(address), now_ms);
        id.map(|id| id.to_string())
    }

    #[test]
    fn a_cookie_is_valid_for_its_address_and_key_for_a_year() {
        let ann = "ann@example.org";
        let cookie = DeviceId([7; 16]).set_cookie(&signing(SIGNING_JWK), &email(ann), NOW_MS);
        let cookie = cookie.expect("text");
        let cookie = cookie.to_str().expect("text");
        assert!(cookie.ends_with("; Max-Age=31536000; Path=/; HttpOnly; Secure; SameSite=Strict"));
        let pair = cookie.split(';').next().expect("a pair");
        let year_ms = 31_536_000_000;
        let id = Some("07".repeat(16));
        assert_eq!(read(pair, SIGNING_JWK, ann, NOW_MS), id);
        assert_eq!(read(pair, SIGNING_JWK, ann, NOW_MS + year_ms - 1), id);
        assert_eq!(read(pair, SIGNING_JWK, ann, NOW_MS + year_ms), None);
        assert_eq!(read(pair, SIGNING_JWK, "bob@example.org", NOW_MS), None);
        assert_eq!(read(pair, OTHER_JWK, ann, NOW_MS), None);
        assert_eq!(read(&pair.replace("__Host-device", "device"), SIGNING_JWK, ann, NOW_MS), None);
    }

    #[test]
    fn a_changed_cookie_is_none() {
        let ann = "ann@example.org";
        let cookie = DeviceId([7; 16]).set_cookie(&signing(SIGNING_JWK), &email(ann), NOW_MS);
        let cookie = cookie.expect("text");
        let pair = cookie.to_str().expect("text").split(';').next().expect("a pair").to_owned();
        let (name, value) = pair.split_once('=').expect("a pair");
        for at in 0..value.len() {
            let mut changed = value.as_bytes().to_vec();
            changed[at] = if changed[at] == b'B' { b'C' } else { b'B' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(read(&format!("{name}={changed}"), SIGNING_JWK, ann, NOW_MS), None, "{at}");
        }
        for value in ["", "x", &value[1..], &format!("{value}A"), &"A".repeat(75)] {
            assert_eq!(read(&format!("{name}={value}"), SIGNING_JWK, ann, NOW_MS), None);
        }
    }
}
