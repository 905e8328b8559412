//! The permission table against what really happens: every endpoint, every role, and no token.

use edge_api::endpoint::{
    ACCOUNTS, AdminEndpoint as A, Endpoint, FAULTS, FIXED, LINKS, OpenEndpoint as O,
    ProtectedEndpoint as P, SESSIONS, find, rights,
};
use edge_auth::{Rights, UPLOAD, testing::hs256};
use edge_types::Role;
use http::Method;
use serde_json::json;

use crate::harness::{PIXEL, app, get, send, upload, user_token};

const ROLES: [(Role, &str); 4] = [
    (Role::User, "USER"),
    (Role::Guest, "GUEST"),
    (Role::Service, "SERVICE"),
    (Role::Admin, "ADMIN"),
];

/// Paths with a variable part, once for each of their endpoints, and a preflight; all are of user 123. The first
/// twelve concern what belongs to the user.
const VARIABLE: [(&str, &str); 28] = [
    ("/images/1", "GET"),
    ("/images/1", "DELETE"),
    ("/images/1/url", "POST"),
    ("/images/1/release", "POST"),
    ("/images/1/refuse", "POST"),
    ("/users/123", "GET"),
    ("/users/123", "PATCH"),
    ("/users/123", "DELETE"),
    ("/users/123/export", "GET"),
    ("/users/123/withdraw", "POST"),
    ("/users/123/password", "POST"),
    ("/users/123/verification", "POST"),
    ("/removals/0123456789abcdef0123456789abcdef", "GET"),
    ("/auth/sign-in/google", "GET"),
    ("/auth/sign-in/google/callback", "GET"),
    ("/auth/sign-in/google/callback", "POST"),
    ("/users/123/images/1-00000000-0000-4000-8000-000000000000.gif", "GET"),
    ("/admin/api/bans/user:123", "DELETE"),
    ("/admin/api/bans/erased:0123456789abcdef0123456789abcdef", "DELETE"),
    ("/admin/api/users/123", "GET"),
    ("/admin/api/users/123/sessions", "GET"),
    ("/admin/api/users/123/sessions", "DELETE"),
    ("/admin/api/users/123/sessions/0123456789abcdef0123456789abcdef", "DELETE"),
    ("/auth/sessions/0123456789abcdef0123456789abcdef", "DELETE"),
    ("/forms/stay", "GET"),
    ("/forms/stay", "PUT"),
    ("/forms/stay", "DELETE"),
    ("/images", "OPTIONS"),
];

/// Who may call an endpoint.
pub enum Access {
    Anyone,
    /// Callers with a refresh cookie.
    Cookie,
    /// Callers whose access token has these rights.
    Token(Rights),
}

pub fn access(endpoint: &Endpoint) -> Access {
    match endpoint {
        Endpoint::Open(O::Refresh) => Access::Cookie,
        // Without a cookie there is no session to end, which is no error.
        Endpoint::Open(_) | Endpoint::Preflight { .. } => Access::Anyone,
        Endpoint::Upload => Access::Token(UPLOAD),
        Endpoint::Protected(endpoint) => Access::Token(rights(endpoint)),
    }
}

/// Numbers the endpoints. A new endpoint does not compile before it is here.
const fn number(endpoint: &Endpoint) -> usize {
    match endpoint {
        Endpoint::Open(O::GuestToken) => 0,
        Endpoint::Open(O::SignUp) => 1,
        Endpoint::Open(O::Login) => 2,
        Endpoint::Open(O::Refresh) => 3,
        Endpoint::Open(O::Logout) => 4,
        Endpoint::Open(O::PublicKeys) => 5,
        Endpoint::Open(O::Policy) => 6,
        Endpoint::Open(O::Alive) => 7,
        Endpoint::Open(O::Ready) => 8,
        Endpoint::Open(O::Picture(_)) => 9,
        Endpoint::Open(O::Panic) => 10,
        Endpoint::Open(O::Memory) => 11,
        Endpoint::Upload => 12,
        Endpoint::Protected(P::ListImages) => 13,
        Endpoint::Protected(P::RegisterImage) => 14,
        Endpoint::Protected(P::ReadImage(_)) => 15,
        Endpoint::Protected(P::DeleteImage(_)) => 16,
        Endpoint::Protected(P::Ticket) => 17,
        Endpoint::Protected(P::ReadUser(_)) => 18,
        Endpoint::Protected(P::ChangeUser(_)) => 19,
        Endpoint::Protected(P::Metrics) => 20,
        Endpoint::Protected(P::Admin(A::Status)) => 21,
        Endpoint::Protected(P::Admin(A::Stats)) => 22,
        Endpoint::Protected(P::Admin(A::Uploaders)) => 23,
        Endpoint::Protected(P::Admin(A::Events)) => 24,
        Endpoint::Protected(P::Admin(A::Bans)) => 25,
        Endpoint::Protected(P::Admin(A::Ban)) => 26,
        Endpoint::Protected(P::Admin(A::Unban(_))) => 27,
        Endpoint::Protected(P::Admin(A::User(_))) => 28,
        Endpoint::Protected(P::Admin(A::BindBucket)) => 29,
        Endpoint::Preflight { .. } => 30,
        Endpoint::Protected(P::ListSessions) => 31,
        Endpoint::Protected(P::EndOtherSessions) => 32,
        Endpoint::Protected(P::EndSession(_)) => 33,
        Endpoint::Protected(P::Admin(A::Sessions(_))) => 34,
        Endpoint::Protected(P::Admin(A::EndSessions(_))) => 35,
        Endpoint::Protected(P::Admin(A::EndSession(..))) => 36,
        Endpoint::Protected(P::DeleteImageByKey) => 37,
        Endpoint::Protected(P::DeleteImages) => 38,
        Endpoint::Protected(P::ReadRemoval(_)) => 39,
        Endpoint::Protected(P::EraseUser(_)) => 40,
        Endpoint::Protected(P::Withdraw(_)) => 41,
        Endpoint::Protected(P::ExportUser(_)) => 42,
        Endpoint::Protected(P::ReadForm(_)) => 43,
        Endpoint::Protected(P::PutForm(_)) => 44,
        Endpoint::Protected(P::CloseForm(_)) => 45,
        Endpoint::Open(O::Challenge) => 46,
        Endpoint::Open(O::ChallengeWidget) => 47,
        Endpoint::Protected(P::SignImageUrl(_)) => 48,
        Endpoint::Protected(P::ReleaseImage(_)) => 49,
        Endpoint::Protected(P::RefuseImage(_)) => 50,
        Endpoint::Protected(P::ListForms) => 51,
        Endpoint::Protected(P::Admin(A::UnbanErased(_))) => 52,
        Endpoint::Protected(P::Admin(A::Webhooks)) => 53,
        Endpoint::Protected(P::Admin(A::ResendEvents)) => 54,
        Endpoint::Protected(P::Admin(A::PingWebhook)) => 55,
        Endpoint::Protected(P::ChangePassword(_)) => 56,
        Endpoint::Protected(P::SendVerification(_)) => 57,
        Endpoint::Open(O::VerifyEmail) => 58,
        Endpoint::Open(O::ForgetPassword) => 59,
        Endpoint::Open(O::ResetPassword) => 60,
        Endpoint::Open(O::Mailbox) => 61,
        Endpoint::Open(O::ListProviders) => 62,
        Endpoint::Open(O::BeginSignIn(_)) => 63,
        Endpoint::Open(O::FinishSignIn(_)) => 64,
        Endpoint::Open(O::LinkIdentity) => 65,
    }
}
const ENDPOINTS: usize = 66;

/// Path, method and endpoint of every endpoint.
pub fn endpoints() -> Vec<(&'static str, &'static str, Endpoint)> {
    let fixed = [FIXED, ACCOUNTS, LINKS, SESSIONS, FAULTS].concat();
    let variable = VARIABLE.map(|(path, method)| {
        let endpoint = find(&method.parse().expect("a method"), path, true);
        (path, method, endpoint.expect("an endpoint"))
    });
    fixed.into_iter().chain(variable).collect()
}

/// The code of a response, after user 123 has uploaded an image.
fn code(method: &str, path: &str, token: Option<&str>) -> String {
    let app = app();
    send(&app, upload(), PIXEL);
    let mut request = get(path).method(method).header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    send(&app, request, b"{}").code().to_owned()
}

fn token(sub: &str, role: &str) -> String {
    hs256(json!({"sub": sub, "role": role}), 60)
}

#[test]
fn every_endpoint_is_tested() {
    let mut is_tested = [false; ENDPOINTS];
    for (.., endpoint) in endpoints() {
        is_tested[number(&endpoint)] = true;
    }
    assert_eq!(is_tested, [true; ENDPOINTS]);
}

#[test]
fn each_endpoint_admits_the_roles_of_the_table() {
    const WRONG: [&str; 3] = ["TOKEN_MISSING", "TOKEN_INVALID", "ROLE_NOT_ALLOWED"];
    for (path, method, endpoint) in endpoints() {
        if endpoint == Endpoint::Open(O::Panic) {
            continue;
        }
        let without = code(method, path, None);
        let (needs_token, roles) = match access(&endpoint) {
            Access::Anyone => (false, ROLES.map(|(role, _)| role).to_vec()),
            Access::Cookie => {
                assert_eq!(without, "TOKEN_MISSING", "{method} {path}");
                continue;
            }
            Access::Token(rights) => (true, rights.roles.to_vec()),
        };
        assert_eq!(without == "TOKEN_MISSING", needs_token, "{method} {path}: {without}");
        for (role, name) in ROLES {
            let code = code(method, path, Some(&token("123", name)));
            if roles.contains(&role) {
                assert!(!WRONG.contains(&&*code), "{name} {method} {path}: {code}");
            } else {
                assert_eq!(code, "ROLE_NOT_ALLOWED", "{name} {method} {path}");
            }
        }
    }
}

#[test]
fn only_the_roles_of_the_table_access_resources_of_others() {
    for (path, method) in &VARIABLE[..12] {
        let endpoint = find(&method.parse().expect("a method"), path, true).expect("an endpoint");
        let Access::Token(rights) = access(&endpoint) else { panic!("{path} is open") };
        for (role, name) in ROLES {
            let code = code(method, path, Some(&token("124", name)));
            let is_refused = ["USER_MISMATCH", "ROLE_NOT_ALLOWED"].contains(&&*code);
            let may_access = rights.others.contains(&role);
            assert_eq!(!is_refused, may_access, "{name} {method} {path}: {code}");
        }
    }
}

#[test]
fn a_ticket_is_accepted_where_the_table_says() {
    let app = app();
    let request = get("/uploads/tickets")
        .method(Method::POST)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", user_token()));
    let ticket = send(&app, request, b"{}").json["data"]["ticket"].clone();
    let ticket = ticket.as_str().expect("issued");
    for (path, method, endpoint) in endpoints() {
        let Access::Token(rights) = access(&endpoint) else { continue };
        let code = code(method, path, Some(ticket));
        assert_eq!(code != "TOKEN_INVALID", rights.ticket, "{method} {path}: {code}");
    }
}
