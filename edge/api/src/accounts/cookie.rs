//! The refresh token in its cookie: the id of its family, and a secret.

use base64ct::{Base64UrlUnpadded, Encoding};
use edge_types::{Random, hex};
use http::{HeaderValue, header, request::Parts};
use sha2::{Digest, Sha256};

/// Because of the prefix, browsers accept the cookie from this host only, not even from sibling subdomains (RFC
/// 6265bis §4.1.3.2), so nobody can plant one. It requires `Secure`, `Path=/` and no `Domain`.
const NAME: &str = "__Host-refresh_token";

/// A browser never sends it over a plain connection (Chromium and Firefox treat loopback as secure) or for another
/// site, and hides it from scripts. `Strict` costs nothing: no link leads to the endpoints that read it.
pub(super) const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

/// 128 bits identify the family, 256 bits are the secret.
pub struct RefreshToken {
    family: [u8; 16],
    secret: [u8; 32],
}

/// The cookie of a request.
pub enum RefreshCookie {
    None,
    /// It was not made here.
    Malformed,
    /// Several with its name. Browsers keep one, so another program added some.
    Ambiguous,
    Token(RefreshToken),
}

impl RefreshToken {
    /// The first token of a new family.
    pub fn first(random: &impl Random) -> Self {
        Self { family: random.random(), secret: secret(random) }
    }

    /// The next token of the family.
    pub fn next(&self, random: &impl Random) -> Self {
        Self { family: self.family, secret: secret(random) }
    }

    /// Also the id of the session.
    pub fn family(&self) -> String {
        hex::encode(&self.family)
    }

    /// What is stored of it.
    pub fn digest(&self) -> String {
        hex::encode(&Sha256::digest(self.secret))
    }

    /// Reads the cookie.
    pub fn read(head: &Parts) -> RefreshCookie {
        match cookie_value(head, NAME) {
            Err(SeveralCookies) => RefreshCookie::Ambiguous,
            Ok(None | Some("")) => RefreshCookie::None,
            Ok(Some(text)) => {
                Self::parse(text).map_or(RefreshCookie::Malformed, RefreshCookie::Token)
            }
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 48];
        let bytes = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        let (family, secret) = bytes.split_first_chunk()?;
        Some(Self { family: *family, secret: secret.try_into().ok()? })
    }

    /// The value of `Set-Cookie`.
    pub fn set_cookie(&self, lifetime_s: u64) -> Option<HeaderValue> {
        let text = Base64UrlUnpadded::encode_string(&[&self.family[..], &self.secret].concat());
        HeaderValue::try_from(format!("{NAME}={text}; Max-Age={lifetime_s}; {ATTRIBUTES}")).ok()
    }

    /// The value of `Set-Cookie` that deletes it.
    pub fn delete_cookie() -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{NAME}=; Max-Age=0; {ATTRIBUTES}")).ok()
    }
}

/// A request has several cookies with one name. Parsers differ in which of them they believe, and browsers keep one, so
/// none is believed.
#[derive(Debug)]
pub(super) struct SeveralCookies;

/// The value of a cookie.
pub(super) fn cookie_value<'a>(
    head: &'a Parts,
    name: &str,
) -> Result<Option<&'a str>, SeveralCookies> {
    let cookies = head.headers.get_all(header::COOKIE).iter();
    let pairs = cookies.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(SeveralCookies),
        (value, None) => Ok(value),
    }
}

fn secret(random: &impl Random) -> [u8; 32] {
    let mut secret = [0; 32];
    let halves = [random.random(), random.random()];
    secret.copy_from_slice(halves.as_flattened());
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str]) -> RefreshCookie {
        let mut request = http::Request::builder();
        for cookie in cookies {
            request = request.header(header::COOKIE, *cookie);
        }
        RefreshToken::read(&request.body(()).expect("valid").into_parts().0)
    }

    #[test]
    fn a_token_is_read_back() {
        let token = RefreshToken { family: [7; 16], secret: [9; 32] };
        let cookie = token.set_cookie(60).expect("text");
        let cookie = cookie.to_str().expect("text");
        assert!(cookie.ends_with("; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict"));
        let pair = cookie.split(';').next().expect("a pair");
        for cookies in [&[pair][..], &["a=b; refresh_token=x", &format!("c=d; {pair}; e=f")]] {
            let RefreshCookie::Token(again) = read(cookies) else { panic!("{cookies:?}") };
            assert_eq!((again.family, again.secret), ([7; 16], [9; 32]));
        }
    }

    #[test]
    fn of_several_cookies_with_its_name_none_is_believed() {
        let token = RefreshToken { family: [7; 16], secret: [9; 32] }.set_cookie(60).expect("text");
        let pair = token.to_str().expect("text").split(';').next().expect("a pair");
        let both = format!("{pair}; {pair}");
        let empty = format!("__Host-refresh_token=; {pair}");
        for cookies in [&[both.as_str()][..], &[&empty], &[pair, pair]] {
            assert!(matches!(read(cookies), RefreshCookie::Ambiguous), "{cookies:?}");
        }
    }

    #[test]
    fn a_cookie_that_was_not_made_here_is_malformed() {
        assert!(matches!(read(&[]), RefreshCookie::None));
        let unprefixed = format!("refresh_token={}", "A".repeat(64));
        assert!(matches!(read(&[&unprefixed]), RefreshCookie::None), "anybody may have planted it");
        assert!(matches!(read(&["__Host-refresh_token="]), RefreshCookie::None));
        let (short, long) = ("A".repeat(63), "A".repeat(65));
        for text in ["x", "' OR 1=1 --", &short, &long, &format!("{}=", "A".repeat(64))] {
            assert!(
                matches!(
                    read(&[&format!("__Host-refresh_token={text}")]),
                    RefreshCookie::Malformed
                ),
                "{text}"
            );
        }
    }
}
