//! `www/openapi.json` against the endpoint table, the permission table and the codes: each says what the others say.
//! Another test (`tests/api`) compares real responses with it.

use std::collections::{BTreeMap, BTreeSet};

use edge_api::endpoint::{Endpoint, OpenEndpoint, find};
use edge_types::Role;
use http::Method;
use image_rules::{Code, Language};
use serde_json::{Value, json};

use crate::rights::{Access, access, endpoints};

const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

fn description() -> Value {
    serde_json::from_str(include_str!("../../../../www/openapi.json")).expect("JSON")
}

/// Path, method and description of all operations. The description itself is a static asset, which the platform serves.
fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let paths = description["paths"].as_object().expect("paths");
    let all = paths.iter().flat_map(|(path, methods)| {
        METHODS.iter().filter_map(|method| {
            let operation = methods.get(method)?.clone();
            Some((path.clone(), method.to_uppercase(), operation))
        })
    });
    all.filter(|(.., operation)| operation["x-access"]["who"] != "asset").collect()
}

/// A path with a value for each variable part.
fn example(path: &str) -> String {
    let file = "1-00000000-0000-4000-8000-000000000000.gif";
    let id = if path.starts_with("/images/") { "1" } else { "123" };
    let filled = path.replace("{id}", id).replace("{userId}", "123").replace("{file}", file);
    let filled = filled.replace("{formId}", "stay").replace("{name}", "google");
    let filled = filled.replace("{sessionId}", "0123456789abcdef0123456789abcdef");
    let filled = filled.replace("{removalId}", "0123456789abcdef0123456789abcdef");
    filled.replace("{subject}", "user:123")
}

fn endpoint(path: &str, method: &str) -> Endpoint {
    let method: Method = method.parse().expect("a method");
    find(&method, &example(path), false).expect("an endpoint")
}

#[test]
fn the_description_has_all_endpoints_and_no_others() {
    let description = description();
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations(&description) {
        described.entry(example(&path)).or_default().insert(method);
    }
    for (path, methods) in &mut described {
        let Ok(Endpoint::Preflight { allow }) = find(&Method::OPTIONS, path, false) else {
            panic!("{path} does not exist")
        };
        // HEAD wherever there is GET, and OPTIONS everywhere, are described once for all paths.
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        methods.insert("OPTIONS".to_owned());
        let expected: BTreeSet<_> = allow.split(", ").map(str::to_owned).collect();
        assert_eq!(*methods, expected, "{path}");
    }
    for (path, method, endpoint) in endpoints() {
        let is_fault = matches!(
            endpoint,
            Endpoint::Open(OpenEndpoint::Panic | OpenEndpoint::Memory | OpenEndpoint::Mailbox)
        );
        // A ban ends at one path, whomever it names.
        let path = if path.contains("/erased:") { "/admin/api/bans/user:123" } else { path };
        let is_described = described.get(path).is_some_and(|it| it.contains(method));
        assert!(is_fault || is_described, "{method} {path}");
    }
}

#[test]
fn the_described_access_is_that_of_the_permission_table() {
    let names = |roles: &[Role]| serde_json::to_value(roles).expect("JSON");
    for (path, method, operation) in operations(&description()) {
        let described = &operation["x-access"];
        let schemes: Vec<_> = operation["security"]
            .as_array()
            .expect("a list")
            .iter()
            .flat_map(|it| it.as_object().expect("schemes").keys().cloned())
            .collect();
        match access(&endpoint(&path, &method)) {
            Access::Anyone => {
                assert_eq!(described["who"], "anyone", "{method} {path}");
                assert!(schemes.is_empty(), "{method} {path}");
            }
            Access::Cookie => {
                assert_eq!(described["who"], "cookie", "{method} {path}");
                assert_eq!(schemes, ["refreshCookie"], "{method} {path}");
            }
            Access::Token(rights) => {
                assert_eq!(schemes, ["bearer"], "{method} {path}");
                assert_eq!(described["roles"], names(rights.roles), "{method} {path}");
                assert_eq!(described["others"], names(rights.others), "{method} {path}");
                assert_eq!(described["ticket"], rights.ticket, "{method} {path}");
            }
        }
    }
}

#[test]
fn every_code_is_described_with_its_status_and_sentences() {
    let description = description();
    let schema = &description["components"]["schemas"]["Code"];
    let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(schema["enum"], json!(names));
    for code in Code::ALL {
        let expected = json!({
            "status": code.status(),
            "backendCode": code.backend_code(),
            "title": code.title(),
            "en": code.message(Language::En),
            "ko": code.message(Language::Ko),
        });
        assert_eq!(schema["x-codes"][code.name()], expected);
    }
    // METHOD_NOT_ALLOWED is the response to all other methods; each other code belongs to an operation.
    let mut described = BTreeSet::from(["METHOD_NOT_ALLOWED"]);
    for (path, method, operation) in operations(&description) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let name = response["$ref"].as_str().and_then(|it| it.rsplit('/').next());
            let response = name.map_or(response, |it| &description["components"]["responses"][it]);
            for code in response["x-codes"].as_array().into_iter().flatten() {
                let found = Code::ALL.iter().find(|it| code == it.name()).expect("a code");
                assert_eq!(found.status().to_string(), *status, "{method} {path}");
                described.insert(found.name());
            }
        }
    }
    assert_eq!(described, names.into_iter().collect());
}
