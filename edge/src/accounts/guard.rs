//! No page of another site may use the cookie of somebody who looks at it.

use http::{header, request::Parts};
use image_rules::Code;

use crate::{
    config::{AllowedOrigins, Config},
    error::Failure,
    intake::is_json,
    route::base_url,
};

/// Takes requests from pages of our own and of allowed origins, and from what is no browser. Browsers
/// name the origin of every POST and ask before they send JSON to another one, so that neither a form
/// nor a script of another site comes through. A star allows nobody in particular: with it only the
/// own origin may use the cookie.
///
/// # Errors
/// `ROLE_NOT_ALLOWED` for other origins, `MALFORMED_REQUEST` for what a form could send.
pub fn must_be_own_page(config: &Config, head: &Parts) -> Result<(), Failure> {
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
    if is_json(head) { Ok(()) } else { Err(Code::MalformedRequest.into()) }
}
