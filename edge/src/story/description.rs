//! The description of the API (`www/openapi.json`) against the route table, the table of rights and
//! the codes: each says what the others say. That every answer is as described is tried from outside
//! (`tests/api`).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::rights::addresses;
use crate::{
    auth::{Access, Role, access},
    route::{Endpoint, find},
};
use http::Method;
use image_rules::{Code, Language};

const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

fn description() -> Value {
    serde_json::from_str(include_str!("../../../www/openapi.json")).expect("JSON")
}

/// The operations: where, how, what is said of them. The description itself is a file beside the
/// pages, which the platform serves.
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

/// An address with something in the place of each variable part.
fn example(path: &str) -> String {
    let file = "1-00000000-0000-4000-8000-000000000000.gif";
    let id = if path.starts_with("/images/") { "1" } else { "123" };
    let filled = path.replace("{id}", id).replace("{userId}", "123").replace("{file}", file);
    filled.replace("{account}", "user:123")
}

fn endpoint(path: &str, method: &str) -> Endpoint {
    let method: Method = method.parse().expect("a method");
    find(&method, &example(path), false).expect("an address of ours")
}

#[test]
fn every_address_is_described_with_its_methods_and_no_other_is() {
    let description = description();
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, method, _) in operations(&description) {
        described.entry(example(&path)).or_default().insert(method);
    }
    for (path, methods) in &mut described {
        let Ok(Endpoint::Preflight { allow }) = find(&Method::OPTIONS, path, false) else {
            panic!("{path} is not there")
        };
        // What can be got can be asked about, and every address answers OPTIONS: said once for all.
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        methods.insert("OPTIONS".to_owned());
        let there: BTreeSet<_> = allow.split(", ").map(str::to_owned).collect();
        assert_eq!(*methods, there, "{path}");
    }
    for (path, method, endpoint) in addresses() {
        if !matches!(endpoint, Endpoint::Panic | Endpoint::Memory) {
            assert!(described.get(path).is_some_and(|it| it.contains(method)), "{method} {path}");
        }
    }
}

#[test]
fn who_may_call_is_what_the_table_of_rights_says() {
    let names = |roles: &[Role]| serde_json::to_value(roles).expect("JSON");
    for (path, method, operation) in operations(&description()) {
        let told = &operation["x-access"];
        let schemes: Vec<_> = operation["security"]
            .as_array()
            .expect("said")
            .iter()
            .flat_map(|it| it.as_object().expect("schemes").keys().cloned())
            .collect();
        match access(&endpoint(&path, &method)) {
            Access::Anyone => assert_eq!((&told["who"], schemes.len()), (&"anyone".into(), 0)),
            Access::Cookie => {
                assert_eq!(
                    (&told["who"], &*schemes),
                    (&"cookie".into(), &["refreshCookie".into()][..])
                );
            }
            Access::Token(rights) => {
                assert_eq!(schemes, ["bearer"], "{method} {path}");
                assert_eq!(told["roles"], names(rights.roles), "{method} {path}");
                assert_eq!(told["others"], names(rights.others), "{method} {path}");
                assert_eq!(told["ticket"], rights.ticket, "{method} {path}");
            }
        }
    }
}

#[test]
fn every_code_is_described_as_it_is() {
    let description = description();
    let schema = &description["components"]["schemas"]["Code"];
    let names: Vec<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(schema["enum"], serde_json::json!(names));
    for code in Code::ALL {
        let expected = serde_json::json!({
            "status": code.status(),
            "backendCode": code.backend_code(),
            "title": code.title(),
            "en": code.message(Language::En),
            "ko": code.message(Language::Ko),
        });
        assert_eq!(schema["x-codes"][code.name()], expected);
    }
    // METHOD_NOT_ALLOWED is what the other methods answer; each of the rest is some operation's.
    let mut told = BTreeSet::from(["METHOD_NOT_ALLOWED"]);
    for (path, method, operation) in operations(&description) {
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let name = answer["$ref"].as_str().and_then(|it| it.rsplit('/').next());
            let answer = name.map_or(answer, |it| &description["components"]["responses"][it]);
            for code in answer["x-codes"].as_array().into_iter().flatten() {
                let found = Code::ALL.iter().find(|it| code == it.name()).expect("a code");
                assert_eq!(found.status().to_string(), *status, "{method} {path}");
                told.insert(found.name());
            }
        }
    }
    assert_eq!(told, names.into_iter().collect());
}
