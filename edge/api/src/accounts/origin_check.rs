//! Keeps pages of other sites from using the refresh cookie.

use http::{header, request::Parts};
use image_rules::Code;

use crate::{
    config::{AllowedOrigins, Config},
    error::ApiError,
    request::{base_url, is_json},
};

/// Accepts requests from the own pages, from pages of allowed origins, and from clients that are not browsers. Browsers
/// send `Origin` with every POST, and a CORS preflight before JSON to another origin, so neither a form nor a script
/// of another site passes. A request without body and content type passes with the `Origin` check alone: a form
/// always sends a content type. With `ALLOWED_ORIGINS=*` only the own origin may use the cookie.
///
/// # Errors
/// `ROLE_NOT_ALLOWED` for other origins, `MALFORMED_REQUEST` for what a form could send.
pub fn check_origin(config: &Config, head: &Parts) -> Result<(), ApiError> {
    if let Some(origin) = head.headers.get(header::ORIGIN) {
        let is_own = origin.as_bytes() == base_url(config, head).as_bytes();
        let is_allowed = match &config.allowed_origins {
            AllowedOrigins::Any => false,
            AllowedOrigins::Only(_) => config.allowed_origins.allows(origin),
        };
        if !is_own && !is_allowed {
            return Err(Code::RoleNotAllowed.into());
        }
    }
    if is_json(head) || is_bare(head) { Ok(()) } else { Err(Code::MalformedRequest.into()) }
}

/// Whether the request has neither a body nor a content type.
fn is_bare(head: &Parts) -> bool {
    let has_body = match head.headers.get(header::CONTENT_LENGTH) {
        Some(length) => length != "0",
        None => head.headers.contains_key(header::TRANSFER_ENCODING),
    };
    !has_body && !head.headers.contains_key(header::CONTENT_TYPE)
}
