//! Reads the head of a request.

use edge_types::{ClientIp, Problem};
use http::{HeaderName, header, request::Parts};
use image_rules::{Code, Language};

use crate::config::Config;

/// The value of a header that is text.
pub fn text_header(head: &Parts, name: HeaderName) -> Option<&str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

pub fn client_ip(head: &Parts) -> ClientIp {
    ClientIp::parse(text_header(head, HeaderName::from_static("cf-connecting-ip")))
}

/// The media type of the body, without parameters.
pub fn media_type(head: &Parts) -> &str {
    let content_type = text_header(head, header::CONTENT_TYPE).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim()
}

/// Whether the body is JSON, which a form of another site cannot send without a CORS preflight.
pub fn is_json(head: &Parts) -> bool {
    media_type(head).eq_ignore_ascii_case("application/json")
}

pub fn language(head: &Parts) -> Language {
    Language::negotiate(text_header(head, header::ACCEPT_LANGUAGE).unwrap_or_default())
}

/// The origin of the API: as configured, or that of the request.
pub fn base_url(config: &Config, head: &Parts) -> String {
    config.public_base_url.clone().unwrap_or_else(|| {
        let scheme = head.uri.scheme_str().unwrap_or("https");
        let authority = head.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}")
    })
}

/// The origin of image URLs: that of `IMAGE_BASE_URL`, or that of the API.
pub fn image_base_url(config: &Config, head: &Parts) -> String {
    config.delivery.image_base_url.clone().unwrap_or_else(|| base_url(config, head))
}

/// The origins that the URL of an image may begin with: URLs may have been saved before images got a host of their own.
pub fn base_urls(config: &Config, head: &Parts) -> [String; 2] {
    [image_base_url(config, head), base_url(config, head)]
}

/// Whether the request is for the host that serves pictures only.
pub fn is_image_host(config: &Config, head: &Parts) -> bool {
    let authority = |origin: &Option<String>| {
        Some(origin.as_deref()?.split_once("://")?.1.to_ascii_lowercase())
    };
    let image_host = authority(&config.delivery.image_base_url);
    let asked = head.uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    image_host.is_some() && asked == image_host && authority(&config.public_base_url) != image_host
}

/// Whether an endpoint has a parameter of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryName {
    Known,
    Unknown,
}

/// Reads the parameters of a list one by one. `read` returns [`None`] for an invalid value.
///
/// # Errors
/// `MALFORMED_REQUEST`, which names an unknown parameter.
pub fn read_query(
    head: &Parts,
    mut read: impl FnMut(&str, String) -> Option<QueryName>,
) -> Result<(), Problem> {
    const INVALID: Problem = Problem::new(Code::MalformedRequest);
    for (name, value) in query(head).ok_or(INVALID)? {
        if read(&name, value).ok_or(INVALID)? == QueryName::Unknown {
            return Err(Problem::field(&name, None));
        }
    }
    Ok(())
}

/// The parameters of the query string, decoded. [`None`] when one is not UTF-8.
pub fn query(head: &Parts) -> Option<Vec<(String, String)>> {
    let query = head.uri.query().unwrap_or_default();
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    // Decoding replaces invalid bytes by U+FFFD.
    let is_text = |text: &String| !text.contains('\u{FFFD}');
    pairs.iter().all(|(name, value)| is_text(name) && is_text(value)).then_some(pairs)
}
