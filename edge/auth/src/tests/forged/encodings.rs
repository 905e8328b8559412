//! Valid tokens in another encoding than that of RFC 7515, or modified.

use serde_json::json;

use super::{
    super::keyring::{Signer, claims},
    Forgeries,
};

pub(super) fn other_encodings(forged: &mut Forgeries, signer: &Signer) {
    let name = signer.name();
    let genuine = signer.genuine(name);
    let (message, signature) = genuine.rsplit_once('.').expect("three parts");
    let (head, body) = message.split_once('.').expect("three parts");
    let turned = |text: &str, at: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).expect("ASCII")
    };
    for (what, token) in [
        ("one part", head.to_owned()),
        ("two parts", message.to_owned()),
        ("no signature", format!("{message}.")),
        ("no header", format!(".{body}.{signature}")),
        ("no claims", format!("{head}..{signature}")),
        ("only dots", "..".to_owned()),
        ("five parts, as if encrypted", format!("{head}.{body}.{signature}.{body}.{signature}")),
        ("a dot at the end", format!("{genuine}.")),
        ("a dot at the start", format!(".{genuine}")),
        ("two dots", format!("{head}..{body}.{signature}")),
        ("a padded header", format!("{head}=.{body}.{signature}")),
        ("padded claims", format!("{head}.{body}==.{signature}")),
        ("a padded signature", format!("{genuine}=")),
        ("a plus", format!("{head}.{body}.+{}", &signature[1..])),
        ("a slash", format!("{head}.{body}./{}", &signature[1..])),
        ("a space", format!("{head}. {body}.{signature}")),
        ("a tab", format!("{head}.{body}\t.{signature}")),
        ("a percent sign", format!("{head}%2E{body}%2E{signature}")),
        ("a letter of another alphabet", format!("{head}.{body}.{signature}é")),
        ("quotes", format!("\"{genuine}\"")),
        ("a second token", format!("{genuine}, {genuine}")),
        ("JSON", json!({"payload": body, "protected": head, "signature": signature}).to_string()),
        ("a header changed", format!("{}.{body}.{signature}", turned(head, 12))),
        ("claims changed", format!("{head}.{}.{signature}", turned(body, 9))),
        ("the first byte of the signature changed", format!("{message}.{}", turned(signature, 0))),
        (
            "a late byte of the signature changed",
            format!("{message}.{}", turned(signature, signature.len() - 3)),
        ),
        ("a signature cut short", format!("{message}.{}", &signature[..signature.len() - 4])),
        ("a signature twice", format!("{message}.{signature}{signature}")),
        ("a signature of zeros", format!("{message}.{}", "A".repeat(signature.len()))),
        ("a signature of another message", {
            let other = signer.token(&signer.head(name), &claims(&json!({"sub": "124"})));
            format!("{message}.{}", other.rsplit_once('.').expect("three parts").1)
        }),
        (
            "9,000 bytes",
            signer.token(&signer.head(name), &claims(&json!({"x": "y".repeat(9_000)}))),
        ),
    ] {
        forged.add(format!("{name}, {what}"), token);
    }
}
