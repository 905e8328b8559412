//! The only route table, and the way of every request through it.

use http::{Method, header, request::Parts};
use image_rules::Code;

use crate::{
    admission,
    app::{App, Ports},
    auth,
    call::Call,
    config::Config,
    delivery,
    error::{Failure, Refusal},
    health,
    intake::Chunks,
    response::{self, Answer, RequestId},
    storage::{ObjectKey, ObjectStore},
    upload,
};

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `POST /images`
    Upload,
    /// `GET /auth/guest-token`
    GuestToken,
    /// `GET /.well-known/jwks.json`
    PublicKeys,
    /// `GET /policy`
    Policy,
    /// `GET /healthz`
    Alive,
    /// `GET /readyz`
    Ready,
    /// `GET /users/{userId}/images/{file}`
    Picture(ObjectKey),
    /// `POST /_fault/panic`, only where `FAULT_INJECTION` is on.
    Panic,
    /// `OPTIONS` of any of the above.
    Preflight {
        /// The methods that the address takes.
        allow: &'static str,
    },
}

/// The addresses without a variable part: the path, its methods, what it is.
const FIXED: &[(&str, &str, Endpoint)] = &[
    ("/images", "POST, OPTIONS", Endpoint::Upload),
    ("/auth/guest-token", READ, Endpoint::GuestToken),
    ("/.well-known/jwks.json", READ, Endpoint::PublicKeys),
    ("/policy", READ, Endpoint::Policy),
    ("/healthz", READ, Endpoint::Alive),
    ("/readyz", READ, Endpoint::Ready),
];
const READ: &str = "GET, HEAD, OPTIONS";
const PANIC_PATH: &str = "/_fault/panic";

/// Finds what a request asks for.
///
/// # Errors
/// `NOT_FOUND` for an unknown path, `METHOD_NOT_ALLOWED` for a method it does not take.
pub fn find(method: &Method, path: &str, fault_injection: bool) -> Result<Endpoint, Refusal> {
    let (allow, endpoint) = match FIXED.iter().find(|(fixed, ..)| *fixed == path) {
        Some((_, allow, endpoint)) => (*allow, endpoint.clone()),
        None if fault_injection && path == PANIC_PATH => ("POST, OPTIONS", Endpoint::Panic),
        None => match path.strip_prefix('/').and_then(ObjectKey::parse) {
            Some(key) => (READ, Endpoint::Picture(key)),
            None => return Err(Refusal::new(Code::NotFound)),
        },
    };
    if *method == Method::OPTIONS {
        return Ok(Endpoint::Preflight { allow });
    }
    if allow.split(", ").any(|taken| taken == method.as_str()) {
        Ok(endpoint)
    } else {
        Err(Refusal::method(allow))
    }
}

/// The body of an answer: bytes made here, or a stored picture that streams.
pub type Body<P> = response::Body<<<P as Ports>::Store as ObjectStore>::Content>;

/// Serves one request, to the end: every outcome is an answer.
pub async fn serve<P: Ports>(app: &App<P>, head: &Parts, body: impl Chunks) -> Answer<Body<P>> {
    let call = Call::new(head, RequestId::new(app.ports.random()));
    let outcome = find(&head.method, head.uri.path(), app.config.fault_injection);
    let answer = match outcome {
        Ok(endpoint) => handle(app, endpoint, &call, body).await,
        Err(refusal) => Err(refusal.into()),
    };
    let answer = answer.unwrap_or_else(|failure| {
        let refusal = response::told(failure, &call.id);
        response::problem(&refusal, &call, app.ports.now_ms())
    });
    response::finish(answer, &call, &app.config.allowed_origins)
}

async fn handle<P: Ports>(
    app: &App<P>,
    endpoint: Endpoint,
    call: &Call<'_>,
    body: impl Chunks,
) -> Result<Answer<Body<P>>, Failure> {
    match endpoint {
        Endpoint::Preflight { allow } => Ok(response::preflight(allow)),
        Endpoint::Alive => Ok(health::alive()),
        Endpoint::Ready => Ok(health::ready(&app.ports).await),
        Endpoint::Policy => Ok(response::policy(&app.config.policy)),
        Endpoint::PublicKeys => Ok(auth::public_keys(&app.config.keys)),
        Endpoint::Picture(key) => delivery::deliver(app, call.head, &key).await,
        Endpoint::GuestToken => {
            admission::enter(app, call).await?;
            auth::issue_guest_token(app)
        }
        Endpoint::Upload => {
            admission::enter(app, call).await?;
            upload::upload(app, call, body).await
        }
        Endpoint::Panic => break_on_purpose(),
    }
}

#[expect(clippy::panic, reason = "shows that a panic in one request leaves the next one whole")]
fn break_on_purpose<B>() -> Result<Answer<B>, Failure> {
    panic!("asked to by {PANIC_PATH}")
}

/// What image URLs start with: as configured, or scheme and authority of the request itself.
#[must_use]
pub fn base_url(config: &Config, head: &Parts) -> String {
    config.public_base_url.clone().unwrap_or_else(|| {
        let scheme = head.uri.scheme_str().unwrap_or("https");
        let authority = head.uri.authority().map_or("", |authority| authority.as_str());
        format!("{scheme}://{authority}")
    })
}

/// The value of a header, when it is there and is text.
#[must_use]
pub fn text_header(head: &Parts, name: header::HeaderName) -> Option<&str> {
    head.headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_found_with_its_methods_only() {
        assert_eq!(find(&Method::POST, "/images", false), Ok(Endpoint::Upload));
        assert_eq!(find(&Method::HEAD, "/policy", false), Ok(Endpoint::Policy));
        assert_eq!(
            find(&Method::GET, "/images", false),
            Err(Refusal::method("POST, OPTIONS")),
            "listing comes with the registry"
        );
        assert_eq!(
            find(&Method::OPTIONS, "/images", false),
            Ok(Endpoint::Preflight { allow: "POST, OPTIONS" })
        );
        assert_eq!(find(&Method::GET, "/nowhere", false), Err(Refusal::new(Code::NotFound)));
    }

    #[test]
    fn panics_can_be_asked_for_only_where_faults_are_injected() {
        assert_eq!(find(&Method::POST, PANIC_PATH, false), Err(Refusal::new(Code::NotFound)));
        assert_eq!(find(&Method::POST, PANIC_PATH, true), Ok(Endpoint::Panic));
    }

    #[test]
    fn only_keys_of_our_pattern_are_pictures() {
        let key = "users/123/images/1699876543210-00000000-0000-4000-8000-000000000000.jpeg";
        let found = find(&Method::GET, &format!("/{key}"), false);
        assert!(matches!(found, Ok(Endpoint::Picture(picture)) if picture.as_str() == key));
        for path in ["/users/123/images/", "/users/../images/x.jpeg", "/users/1/other/x.jpeg"] {
            assert_eq!(
                find(&Method::GET, path, false),
                Err(Refusal::new(Code::NotFound)),
                "{path}"
            );
        }
    }
}
