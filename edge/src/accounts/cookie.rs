//! The refresh token in its cookie: which family it is of, and the secret that shows it.

use base64ct::{Base64UrlUnpadded, Encoding};
use http::{HeaderValue, header, request::Parts};
use sha2::{Digest, Sha256};

use crate::app::Ports;

/// The prefix makes browsers refuse such a cookie from any other host, sibling subdomains included
/// (RFC 6265bis §4.1.3.2), so that nobody can plant one. It demands `Secure`, `Path=/` and no `Domain`.
const NAME: &str = "__Host-refresh_token";

/// A browser never sends it over a plain connection (Chromium and Firefox take http on loopback for a
/// safe one), never for another site, and shows it to no script. `Strict` costs nothing: no link leads
/// to the routes that read it.
const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Strict";

/// 128 bits that name the family and 256 that nobody can guess.
pub struct RefreshToken {
    family: [u8; 16],
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first of a new family.
    #[must_use]
    pub fn first(ports: &impl Ports) -> Self {
        Self { family: ports.random(), secret: secret(ports) }
    }

    /// The one after this.
    #[must_use]
    pub fn next(&self, ports: &impl Ports) -> Self {
        Self { family: self.family, secret: secret(ports) }
    }

    /// The name of its family.
    #[must_use]
    pub fn family(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.family))
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> String {
        format!("{:x}", Sha256::digest(self.secret))
    }

    /// As a request brings it. Of several with this name the first is meant; browsers keep only one.
    pub fn read(head: &Parts) -> Shown {
        let cookies = head.headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|value| value.split(';'));
        let mut values = pairs.filter_map(|pair| pair.trim().strip_prefix(NAME)?.strip_prefix('='));
        match values.next() {
            None | Some("") => Shown::None,
            Some(text) => Self::parse(text).map_or(Shown::Garbled, Shown::Token),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 48];
        let bytes = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        let (family, secret) = bytes.split_first_chunk()?;
        Some(Self { family: *family, secret: secret.try_into().ok()? })
    }

    /// The cookie that carries it.
    #[must_use]
    pub fn cookie(&self, lifetime_s: u32) -> Option<HeaderValue> {
        let text = Base64UrlUnpadded::encode_string(&[&self.family[..], &self.secret].concat());
        HeaderValue::try_from(format!("{NAME}={text}; Max-Age={lifetime_s}; {ATTRIBUTES}")).ok()
    }

    /// The cookie that takes it away.
    #[must_use]
    pub fn no_cookie() -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{NAME}=; Max-Age=0; {ATTRIBUTES}")).ok()
    }
}

/// What a request shows.
pub enum Shown {
    /// No cookie.
    None,
    /// One that was not made here.
    Garbled,
    /// One that may be good.
    Token(RefreshToken),
}

fn secret(ports: &impl Ports) -> [u8; 32] {
    let mut secret = [0; 32];
    let halves = [ports.random(), ports.random()];
    secret.iter_mut().zip(halves.as_flattened()).for_each(|(byte, random)| *byte = *random);
    secret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str]) -> Shown {
        let mut request = http::Request::builder();
        for cookie in cookies {
            request = request.header(header::COOKIE, *cookie);
        }
        RefreshToken::read(&request.body(()).expect("valid").into_parts().0)
    }

    #[test]
    fn a_token_comes_back_as_it_went() {
        let token = RefreshToken { family: [7; 16], secret: [9; 32] };
        let cookie = token.cookie(60).expect("text");
        let cookie = cookie.to_str().expect("text");
        assert!(cookie.ends_with("; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Strict"));
        let pair = cookie.split(';').next().expect("a pair");
        for cookies in [&[pair][..], &["a=b; refresh_token=x", &format!("c=d; {pair}; e=f")]] {
            let Shown::Token(again) = read(cookies) else { panic!("{cookies:?}") };
            assert_eq!((again.family, again.secret), ([7; 16], [9; 32]));
        }
    }

    #[test]
    fn what_was_not_made_here_is_garbled() {
        assert!(matches!(read(&[]), Shown::None));
        let unprefixed = format!("refresh_token={}", "A".repeat(64));
        assert!(matches!(read(&[&unprefixed]), Shown::None), "anybody may have planted it");
        assert!(matches!(read(&["__Host-refresh_token="]), Shown::None));
        let (short, long) = ("A".repeat(63), "A".repeat(65));
        for text in ["x", "' OR 1=1 --", &short, &long, &format!("{}=", "A".repeat(64))] {
            assert!(
                matches!(read(&[&format!("__Host-refresh_token={text}")]), Shown::Garbled),
                "{text}"
            );
        }
    }
}
