//! The table of rights against what really happens: every endpoint, every role, and none.

use serde_json::json;

use super::*;
use crate::{
    auth::{Access, Role, access},
    route::{ACCOUNTS, Endpoint, FAULTS, FIXED, find},
};

const ROLES: [(Role, &str); 4] = [
    (Role::User, "USER"),
    (Role::Guest, "GUEST"),
    (Role::Service, "SERVICE"),
    (Role::Admin, "ADMIN"),
];

/// Addresses with a variable part, one for each endpoint of theirs; all are of user 123.
const VARIABLE: [(&str, &str); 6] = [
    ("/images/1", "GET"),
    ("/images/1", "DELETE"),
    ("/users/123", "GET"),
    ("/users/123", "PATCH"),
    ("/users/123/images/1-00000000-0000-4000-8000-000000000000.gif", "GET"),
    ("/images", "OPTIONS"),
];

/// Tells endpoints apart; what is added to the route table does not compile before it is here.
const fn number(endpoint: &Endpoint) -> usize {
    match endpoint {
        Endpoint::Upload => 0,
        Endpoint::ListImages => 1,
        Endpoint::RegisterImage => 2,
        Endpoint::ReadImage(_) => 3,
        Endpoint::DeleteImage(_) => 4,
        Endpoint::Ticket => 5,
        Endpoint::GuestToken => 6,
        Endpoint::SignUp => 7,
        Endpoint::Login => 8,
        Endpoint::Refresh => 9,
        Endpoint::Logout => 10,
        Endpoint::ReadUser(_) => 11,
        Endpoint::ChangeUser(_) => 12,
        Endpoint::PublicKeys => 13,
        Endpoint::Policy => 14,
        Endpoint::Alive => 15,
        Endpoint::Ready => 16,
        Endpoint::Picture(_) => 17,
        Endpoint::Panic => 18,
        Endpoint::Memory => 19,
        Endpoint::Preflight { .. } => 20,
        Endpoint::Admin(_) => 21,
    }
}
const ENDPOINTS: usize = 22;

/// Every address there is, with a method that it takes.
pub(super) fn addresses() -> Vec<(&'static str, &'static str, Endpoint)> {
    let fixed = [FIXED, ACCOUNTS, FAULTS].concat();
    let variable = VARIABLE.map(|(path, method)| {
        let endpoint = find(&method.parse().expect("a method"), path, true);
        (path, method, endpoint.expect("an address"))
    });
    fixed.into_iter().chain(variable).collect()
}

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
fn every_endpoint_is_walked() {
    let mut walked = [false; ENDPOINTS];
    for (.., endpoint) in addresses() {
        walked[number(&endpoint)] = true;
    }
    assert_eq!(walked, [true; ENDPOINTS]);
}

#[test]
fn each_endpoint_lets_in_whom_the_table_says() {
    const WRONG: [&str; 3] = ["TOKEN_MISSING", "TOKEN_INVALID", "ROLE_NOT_ALLOWED"];
    for (path, method, endpoint) in addresses() {
        if endpoint == Endpoint::Panic {
            continue; // It ends the process, whoever asks.
        }
        let nobody = code(method, path, None);
        let (needs_token, roles) = match access(&endpoint) {
            Access::Anyone => (false, ROLES.map(|(role, _)| role).to_vec()),
            Access::Cookie => {
                assert_eq!(nobody, "TOKEN_MISSING", "{method} {path}");
                continue;
            }
            Access::Token(rights) => (true, rights.roles.to_vec()),
        };
        assert_eq!(nobody == "TOKEN_MISSING", needs_token, "{method} {path}: {nobody}");
        for (role, name) in ROLES {
            let told = code(method, path, Some(&token("123", name)));
            if roles.contains(&role) {
                assert!(!WRONG.contains(&&*told), "{name} {method} {path}: {told}");
            } else {
                assert_eq!(told, "ROLE_NOT_ALLOWED", "{name} {method} {path}");
            }
        }
    }
}

#[test]
fn what_is_anothers_is_reached_by_whom_the_table_says() {
    for (path, method) in &VARIABLE[..4] {
        let endpoint = find(&method.parse().expect("a method"), path, true).expect("an address");
        let Access::Token(rights) = access(&endpoint) else { panic!("{path} is open") };
        for (role, name) in ROLES {
            let told = code(method, path, Some(&token("124", name)));
            let refused = ["USER_MISMATCH", "ROLE_NOT_ALLOWED"].contains(&&*told);
            assert_eq!(!refused, rights.others.contains(&role), "{name} {method} {path}: {told}");
        }
    }
}

#[test]
fn a_ticket_opens_what_the_table_says() {
    let app = app();
    let request = get("/uploads/tickets")
        .method(Method::POST)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", token("123", "USER")));
    let ticket = send(&app, request, b"{}").json["data"]["ticket"].clone();
    let ticket = ticket.as_str().expect("issued");
    for (path, method, endpoint) in addresses() {
        let Access::Token(rights) = access(&endpoint) else { continue };
        let told = code(method, path, Some(ticket));
        assert_eq!(told != "TOKEN_INVALID", rights.ticket, "{method} {path}: {told}");
    }
}
