//! Hostile headers: other algorithms, embedded keys, duplicate members.

use serde_json::json;

use super::{
    super::keyring::{Signer, claims, encode},
    Forgeries,
};

pub(super) fn other_algorithms(forged: &mut Forgeries, signer: &Signer) {
    let (name, claims) = (signer.name(), claims(&json!({})));
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let head = encode(json!({"alg": alg, "kid": name}).to_string());
        forged.add(format!("{name} as {alg}, unsigned"), format!("{head}.{}.", encode(&claims)));
    }
    let names = [
        "none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "ES256", "ES384",
        "ES512", "ES256K", "EdDSA", "Ed25519", "ed448", "hs256", "rs256", "es256", "eddsa",
        "A128KW",
    ];
    for alg in names.into_iter().filter(|alg| *alg != name) {
        let head = json!({"alg": alg, "kid": name}).to_string();
        forged.add(format!("{name} as {alg}"), signer.token(&head, &claims));
    }
    for alg in [json!(null), json!(256), json!([name]), json!({"name": name}), json!(true)] {
        let head = json!({"alg": alg, "kid": name}).to_string();
        forged.add(format!("{name} with alg {alg}"), signer.token(&head, &claims));
    }
    forged.add(format!("{name} without alg"), signer.token(r#"{"typ":"JWT"}"#, &claims));
}

pub(super) fn keys_in_the_header(forged: &mut Forgeries, signer: &Signer) {
    let name = signer.name();
    let attacker = Signer::p256();
    let address = "https://attacker.example/jwks.json";
    for (member, value) in [
        ("jwk", attacker.public_jwk()),
        ("jku", json!(address)),
        ("jku", json!("http://127.0.0.1:8787/")),
        ("jku", json!("http://169.254.169.254/latest/meta-data")),
        ("x5u", json!(address)),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
    ] {
        let mut head = json!({"alg": name, "kid": name});
        head[member] = value.clone();
        let what = format!("{name} with {member}");
        forged.add(&what, signer.token(&head.to_string(), &claims(&json!({}))));
        head["alg"] = json!("ES256");
        forged.add(&what, attacker.token(&head.to_string(), &claims(&json!({}))));
    }
    for kid in [address, "../../../../dev/null", "x' UNION SELECT 'key", "elsewhere", ""] {
        let head = json!({"alg": "ES256", "kid": kid}).to_string();
        forged.add(format!("a key called {kid}"), attacker.token(&head, &claims(&json!({}))));
    }
}

pub(super) fn broken_headers(forged: &mut Forgeries, signer: &Signer) {
    let name = signer.name();
    for head in [
        format!(r#"{{"alg":"{name}","alg":"{name}"}}"#),
        format!(r#"{{"alg":"none","alg":"{name}"}}"#),
        format!(r#"{{"alg":"{name}","\u0061lg":"{name}"}}"#),
        format!(r#"{{"alg":"{name}","kid":"{name}","kid":"{name}"}}"#),
        format!(r#"{{"alg":"{name}","x":1,"x":1}}"#),
        format!(r#"{{"alg":"{name}","x":{{"y":1,"y":1}}}}"#),
        format!(r#"{{"alg":"{name}","kid":7}}"#),
        format!(r#"{{"alg":"{name}","typ":7}}"#),
        format!(r#"{{"alg":"{name}","cty":"JWT"}}"#),
        format!(r#"{{"alg":"{name}","x5t":7}}"#),
        format!(r#"{{"alg":"{name}"}} "#) + "{}",
        format!(r#"{{"alg":"{name}""#),
        format!(r#"["{name}"]"#),
        format!(r#""{name}""#),
        format!("\u{feff}{{\"alg\":\"{name}\"}}"),
        format!(r#"{{"alg":"{name}",}}"#),
        format!(r"{{'alg':'{name}'}}"),
        format!(r#"{{"alg":"{name}","x":{}}}"#, "[".repeat(500)),
        "null".to_owned(),
        String::new(),
    ] {
        forged.add(
            format!("{name} with header {head:.60}"),
            signer.token(&head, &claims(&json!({}))),
        );
    }
}
