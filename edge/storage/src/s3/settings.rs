//! Which bucket of which S3 service, with which keys: checked once, secret ever after.

use core::{fmt, net::IpAddr};

use rusty_s3::{Bucket, Credentials, UrlStyle};

/// What an operator says about the service.
pub struct ServiceParts {
    /// Where it is, such as `https://s3.eu-west-1.amazonaws.com`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    pub bucket: String,
    /// Whether the bucket is part of the path; otherwise it is part of the host.
    pub path_style: bool,
    pub access_key_id: String,
    pub secret_access_key: String,
    /// What comes with a key that was lent for a while.
    pub session_token: Option<String>,
    /// How long one attempt may take.
    pub timeout_ms: u64,
}

/// A bucket that requests can be signed for.
#[derive(Clone)]
pub struct Service {
    pub(crate) bucket: Bucket,
    pub(crate) credentials: Credentials,
    pub(crate) timeout_ms: u64,
}

/// What is wrong with what the operator says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceProblem {
    /// The endpoint is no address of a service.
    Endpoint,
    Region,
    /// No bucket is called so, or it cannot be part of this host.
    Bucket,
    AccessKeyId,
    SecretAccessKey,
    SessionToken,
}

impl Service {
    /// From what the operator says.
    ///
    /// # Errors
    /// The first part that cannot be used.
    pub fn new(parts: ServiceParts) -> Result<Self, ServiceProblem> {
        let ServiceParts { endpoint, region, bucket, path_style, .. } = parts;
        check(is_endpoint(&endpoint), ServiceProblem::Endpoint)?;
        check(is_name(&region), ServiceProblem::Region)?;
        check(is_bucket(&bucket), ServiceProblem::Bucket)?;
        check(is_key(&parts.access_key_id), ServiceProblem::AccessKeyId)?;
        check(is_key(&parts.secret_access_key), ServiceProblem::SecretAccessKey)?;
        check(parts.session_token.as_deref().is_none_or(is_key), ServiceProblem::SessionToken)?;
        let style = if path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = endpoint.parse().map_err(|_| ServiceProblem::Endpoint)?;
        let bucket = Bucket::new(endpoint, style, bucket, region);
        let (key, secret) = (parts.access_key_id, parts.secret_access_key);
        Ok(Self {
            bucket: bucket.map_err(|_| ServiceProblem::Bucket)?,
            credentials: match parts.session_token {
                Some(token) => Credentials::new_with_token(key, secret, token),
                None => Credentials::new(key, secret),
            },
            timeout_ms: parts.timeout_ms,
        })
    }
}

fn check(holds: bool, problem: ServiceProblem) -> Result<(), ServiceProblem> {
    if holds { Ok(()) } else { Err(problem) }
}

/// `https` everywhere. Plain `http` shows pictures and signed addresses to every machine on the way,
/// so it is taken only where there is no way: this machine, or a neighbour of a container network,
/// whose name has no dot and which no public name server knows.
fn is_endpoint(text: &str) -> bool {
    let (rest, plain) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (rest, false),
        (None, Some(rest)) => (rest, true),
        (None, None) => return false,
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split_once(']').map_or("", |(host, _)| host),
        None => authority.split_once(':').map_or(authority, |(host, _)| host),
    };
    let is_near = match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => !host.contains(['.', ':']),
    };
    let is_plain_path =
        path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte));
    let is_authority =
        authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    !host.is_empty() && is_authority && is_plain_path && (is_near || !plain)
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(allowed)
}

/// Stricter services take less; the longest legacy name has 255 characters.
fn is_bucket(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=255).contains(&text.len())
        && text.bytes().all(allowed)
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// A line break that was pasted along would make every signature wrong.
fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("url", &self.bucket.base_url().as_str())
            .field("region", &self.bucket.region())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::s3::tests::scripted::parts;

    fn with(change: impl FnOnce(&mut ServiceParts)) -> Result<Service, ServiceProblem> {
        let mut parts = parts();
        change(&mut parts);
        Service::new(parts)
    }

    fn url_of(endpoint: &str, path_style: bool) -> Result<String, ServiceProblem> {
        let service = with(|parts| {
            parts.endpoint = endpoint.to_owned();
            parts.path_style = path_style;
        })?;
        Ok(service.bucket.base_url().to_string())
    }

    #[test]
    fn the_bucket_is_in_the_path_or_in_the_host() {
        for (endpoint, path_style, expected) in [
            ("https://s3.example", true, "https://s3.example/pictures/"),
            ("https://s3.example", false, "https://pictures.s3.example/"),
            ("https://s3.example:9000/prefix/", true, "https://s3.example:9000/prefix/pictures/"),
            ("http://127.0.0.1:9000", true, "http://127.0.0.1:9000/pictures/"),
            ("http://[::1]:9000", true, "http://[::1]:9000/pictures/"),
            ("http://localhost:9000", false, "http://pictures.localhost:9000/"),
            ("http://minio:9000", true, "http://minio:9000/pictures/"),
        ] {
            assert_eq!(url_of(endpoint, path_style).as_deref(), Ok(expected), "{endpoint}");
        }
        assert_eq!(url_of("http://127.0.0.1:9000", false), Err(ServiceProblem::Bucket));
    }

    #[test]
    fn insecure_or_misleading_endpoints_are_rejected() {
        for endpoint in [
            "",
            "s3.example",
            "https://",
            "https:///path",
            "ftp://s3.example",
            "http://s3.example",
            "http://10.0.0.1:9000",
            "http://127.example:9000",
            "http://[fe80::1]:9000",
            "https://key:secret@s3.example",
            "https://s3.example?x=1",
            "https://s3.example/#a",
            "https://s3.example:port",
        ] {
            assert_eq!(url_of(endpoint, true), Err(ServiceProblem::Endpoint), "{endpoint}");
        }
    }

    #[test]
    fn each_part_is_checked() {
        type Change = fn(&mut ServiceParts);
        let cases: [(Change, ServiceProblem); 6] = [
            (|parts| parts.region = "eu west".to_owned(), ServiceProblem::Region),
            (|parts| parts.bucket = "..".to_owned(), ServiceProblem::Bucket),
            (|parts| parts.bucket = "a/b".to_owned(), ServiceProblem::Bucket),
            (|parts| parts.access_key_id = "AK ID".to_owned(), ServiceProblem::AccessKeyId),
            (|parts| parts.secret_access_key.push('\n'), ServiceProblem::SecretAccessKey),
            (|parts| parts.session_token = Some(String::new()), ServiceProblem::SessionToken),
        ];
        for (change, expected) in cases {
            assert_eq!(with(change).err(), Some(expected));
        }
    }

    #[test]
    fn debug_output_contains_no_secret() {
        let service = with(|parts| parts.session_token = Some("lent-token".to_owned()));
        let text = format!("{:?}", service.expect("complete"));
        assert!(text.contains("pictures"), "{text}");
        let parts = parts();
        for secret in [parts.secret_access_key.as_str(), &parts.access_key_id, "lent-token"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}
