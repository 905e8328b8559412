//! The image rules for the browser. This crate only marshals: bytes in, what is to be sent and what
//! there is to say of it out; every rule is the shared crate's.

use image_rules::{
    Action, Format, ImageError, Language, Limits, Policy, Processed, Report, prepare as rules,
};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;

/// What became of a file.
#[wasm_bindgen]
pub struct Outcome {
    told: String,
    bytes: Option<Vec<u8>>,
}

#[wasm_bindgen]
impl Outcome {
    /// What there is to say, as JSON: `Told`.
    #[must_use]
    #[wasm_bindgen(getter)]
    pub fn told(&self) -> String {
        self.told.clone()
    }

    /// What is to be sent; nothing when that is the file as it was chosen, or none at all.
    #[must_use]
    pub fn bytes(self) -> Option<Vec<u8>> {
        self.bytes
    }
}

/// In the shape that the TypeScript face reads (`browser/js/messages.ts`).
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    #[serde(rename_all = "camelCase")]
    Prepared {
        report: &'a Report,
        width: u32,
        height: u32,
        content_type: &'static str,
        removed: Vec<&'static str>,
        placeholder: &'a [u8],
    },
    Refused {
        code: &'static str,
        sentence: &'a str,
    },
}

/// Checks a file and makes of it what is to be sent.
///
/// `policy` is what `GET /policy` answers; what it does not say is as the default has it. `language`
/// is that of sentences: a tag or a whole `Accept-Language`.
#[wasm_bindgen]
#[must_use]
pub fn prepare(bytes: &[u8], declared_type: &str, policy: &str, language: &str) -> Outcome {
    let prepared = Format::from_media_type(declared_type)
        .and_then(|declared| rules(bytes, declared, &read(policy)));
    match prepared {
        Ok((report, processed)) => accepted(&report, processed),
        Err(error) => refused(&error, language),
    }
}

/// Whether a file has so many bytes that it need not be read: then the refusal, as [`prepare`] tells
/// it.
#[wasm_bindgen]
#[must_use]
pub fn too_large(size_bytes: f64, policy: &str, language: &str) -> Option<String> {
    let Limits { max_bytes: limit_bytes, .. } = read(policy).before_sending().limits;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes of files are whole and below 2^53"
    )]
    let size_bytes = size_bytes as u64;
    let error = ImageError::TooManyBytes { size_bytes, limit_bytes };
    (size_bytes > limit_bytes).then(|| refused(&error, language).told)
}

/// A policy that cannot be read is the default one: the edge has the last word anyway, and nobody
/// should be kept from sending because one answer was lost.
fn read(policy: &str) -> Policy {
    serde_json::from_str(policy).unwrap_or(Policy::EDGE)
}

fn accepted(report: &Report, processed: Processed<'_>) -> Outcome {
    let told = tell(&Told::Prepared {
        report,
        width: processed.width(),
        height: processed.height(),
        content_type: processed.format().media_type(),
        removed: processed.removed().kinds().collect(),
        placeholder: processed.placeholder(),
    });
    let is_kept = processed.action() == Action::Keep;
    Outcome { told, bytes: (!is_kept).then(|| processed.into_bytes().into_owned()) }
}

fn refused(error: &ImageError, language: &str) -> Outcome {
    let sentence = error.sentence(Language::negotiate(language));
    let told = Told::Refused { code: error.code().name(), sentence: &sentence };
    Outcome { told: tell(&told), bytes: None }
}

/// Our own type: strings and numbers always serialise.
fn tell(told: &Told<'_>) -> String {
    serde_json::to_string(told).unwrap_or_default()
}
