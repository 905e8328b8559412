//! The port to the server that publishes a platform's keys, and which addresses may be one.

use http::Uri;

pub trait KeyServer {
    /// The document that a success answers with. The caller sets the timeout: dropping the future aborts the request.
    fn send(
        &self,
        request: &KeyServerRequest<'_>,
    ) -> impl Future<Output = Result<String, KeyServerError>>;
}

/// A request to a key server, or to a provider of sign-in.
pub struct KeyServerRequest<'a> {
    pub url: &'a str,
    /// The header.
    pub authorization: Option<String>,
    /// The body of a POST, as `application/x-www-form-urlencoded`; without one it is a GET.
    pub form: Option<String>,
}

/// The largest key set: 32 RSA keys of 2048 bits, each with 1.5 KB of certificate, fit in.
pub const MAX_KEY_SET_BYTES: usize = 64 * 1024;

/// Why there is no answer, or no key set in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyServerError {
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// Redirects are not followed.
    #[error("status {0} instead of 200")]
    Status(u16),
    #[error("more than {MAX_KEY_SET_BYTES} bytes")]
    TooLarge,
    #[error("not UTF-8")]
    NotText,
    #[error("no complete answer in time")]
    Timeout,
    #[error("not a JSON Web Key Set")]
    NotAKeySet,
}

/// A URL that keys may be fetched from: nobody on the network can change the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyServerUrl(String);

impl KeyServerUrl {
    /// What [`Self::parse`] accepts, in the words of a configuration problem.
    pub const EXPECTED: &str = "an https URL without a user name (http only for localhost)";

    /// From an absolute `https` URL, or an `http` one of this machine, without a name, a password or
    /// a fragment in it.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority()?.as_str();
        let safe = match uri.scheme_str()? {
            "https" => true,
            "http" => matches!(uri.host()?, "localhost" | "127.0.0.1" | "[::1]"),
            _ => false,
        };
        let plain = !authority.contains('@') && !text.contains('#');
        (safe && plain).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyServerUrl, MAX_KEY_SET_BYTES};

    #[test]
    fn the_largest_key_set_that_is_read_has_room_for_32_rsa_keys_with_certificates() {
        let (modulus, certificate) = ("A".repeat(342), "A".repeat(1500));
        let key = format!(
            r#"{{"kty":"RSA","use":"sig","alg":"RS256","kid":"k","n":"{modulus}","e":"AQAB","x5c":["{certificate}"]}}"#
        );
        let set = format!(r#"{{"keys":[{}]}}"#, vec![key; 32].join(","));
        assert!(set.len() <= MAX_KEY_SET_BYTES, "{}", set.len());
    }

    #[test]
    fn a_key_server_needs_https_or_is_local() {
        for text in [
            "https://login.example/.well-known/jwks.json?v=1",
            "https://login.example:8443/keys",
            "http://localhost:9000/jwks.json",
            "http://127.0.0.1/jwks.json",
        ] {
            assert!(KeyServerUrl::parse(text).is_some_and(|url| url.as_str() == text), "{text}");
        }
        for text in [
            "",
            "login.example/jwks.json",
            "/jwks.json",
            "http://login.example/jwks.json",
            "http://localhost.login.example/jwks.json",
            "http://127.0.0.1@login.example/jwks.json",
            "https://name:password@login.example/jwks.json",
            "https://login.example/jwks.json#part",
            "ftp://login.example/jwks.json",
            "file:///etc/jwks.json",
            "https://login.example/a b",
        ] {
            assert_eq!(KeyServerUrl::parse(text), None, "{text}");
        }
    }
}
