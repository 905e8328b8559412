//! The image rules for the browser. This crate only marshals: bytes in, a verdict out as JSON; every
//! rule is the shared crate's.

use image_rules::{Format, ImageError, Language, Policy, Report, inspect_as};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// What the rules say of a file, in the shape that the TypeScript face hands on.
#[derive(Serialize)]
#[serde(untagged)]
enum Verdict {
    Accepted { report: Report },
    Refused { code: &'static str, sentence: String },
}

/// Checks a file: the verdict as JSON, `{"report": …}` or `{"code": …, "sentence": …}`.
///
/// `policy` is what `GET /policy` answers; when it cannot be read, the default is used. `language`
/// is that of the sentence: a tag or a whole `Accept-Language`.
#[wasm_bindgen]
#[must_use]
pub fn check(bytes: &[u8], declared_type: &str, policy: &str, language: &str) -> String {
    let policy = serde_json::from_str(policy).unwrap_or(Policy::EDGE);
    let verdict = match verdict(bytes, declared_type, &policy) {
        Ok(report) => Verdict::Accepted { report },
        Err(error) => Verdict::Refused {
            code: error.code().name(),
            sentence: error.sentence(Language::negotiate(language)).into_owned(),
        },
    };
    // Our own struct: strings and numbers always serialise.
    serde_json::to_string(&verdict).unwrap_or_default()
}

fn verdict(bytes: &[u8], declared_type: &str, policy: &Policy) -> Result<Report, ImageError> {
    let declared = Format::from_media_type(declared_type)?;
    inspect_as(bytes, declared, policy)
}
