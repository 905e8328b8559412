//! The image rules for the browser. This crate only marshals: bytes in, what is to be sent and what
//! there is to say of it out; every rule is the shared crate's.

mod canvas;
mod policy;

use std::ops::ControlFlow;

use image_rules::{
    Action, Format, ImageError, Language, Limits, Processed, Report,
    pipeline::{foreign, prepare::Preparation},
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
        #[serde(skip_serializing_if = "Option::is_none")]
        report: Option<&'a Report>,
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
    /// The browser is to decode it, and a [`canvas::Canvas`] takes the pixels.
    #[serde(rename_all = "camelCase")]
    Foreign {
        media_type: &'static str,
    },
}

/// A file that is being prepared, a step at a time, so that a page without workers lives meanwhile.
#[wasm_bindgen]
pub struct Job {
    preparation: Option<Preparation<'static>>,
    outcome: Option<Outcome>,
    language: String,
}

#[wasm_bindgen]
impl Job {
    /// Looks into a file. `policy` is that of the edge as [`policy::read`] takes it, `language` that of
    /// sentences: a tag or a whole `Accept-Language`.
    #[must_use]
    #[wasm_bindgen(constructor)]
    pub fn new(bytes: Vec<u8>, declared_type: &str, policy: &[f64], language: &str) -> Self {
        let mut job = Self { preparation: None, outcome: None, language: language.to_owned() };
        let begun = match Format::from_media_type(declared_type) {
            Some(declared) => Preparation::begin(bytes, declared, &policy::read(policy)),
            None => match foreign::decodable_type(&bytes, declared_type) {
                Some(shown) => {
                    let told = tell(&Told::Foreign { media_type: shown.media_type });
                    job.outcome = Some(Outcome { told, bytes: None });
                    return job;
                }
                None => Err(ImageError::DeclaredNotAccepted),
            },
        };
        match begun {
            Ok(preparation) => job.preparation = Some(preparation),
            Err(error) => job.outcome = Some(refused(&error, language)),
        }
        job
    }

    /// Makes the next step, if there is one; answers whether there is another.
    pub fn step(&mut self) -> bool {
        let Some(preparation) = self.preparation.take() else { return false };
        match preparation.step() {
            Ok(ControlFlow::Continue(further)) => self.preparation = Some(further),
            Ok(ControlFlow::Break((report, processed))) => {
                self.outcome = Some(accepted(Some(&report), processed));
            }
            Err(error) => self.outcome = Some(refused(&error, &self.language)),
        }
        self.preparation.is_some()
    }

    /// What became of the file; nothing as long as a step is left.
    #[must_use]
    pub fn outcome(self) -> Option<Outcome> {
        self.outcome
    }
}

/// Whether a file has so many bytes that it need not be read: then the refusal, as [`Job`] tells it.
#[wasm_bindgen]
#[must_use]
pub fn too_large(size_bytes: f64, policy: &[f64], language: &str) -> Option<String> {
    let Limits { max_bytes: limit_bytes, .. } = policy::read(policy).before_sending().limits;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes of files are whole and below 2^53"
    )]
    let size_bytes = size_bytes as u64;
    let error = ImageError::TooManyBytes { size_bytes, limit_bytes };
    (size_bytes > limit_bytes).then(|| refused(&error, language).told)
}

fn accepted(report: Option<&Report>, processed: Processed<'_>) -> Outcome {
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
    let sentence = error.message(Language::negotiate(language));
    let told = Told::Refused { code: error.code().name(), sentence: &sentence };
    Outcome { told: tell(&told), bytes: None }
}

/// Our own type: strings and numbers always serialise.
fn tell(told: &Told<'_>) -> String {
    serde_json::to_string(told).unwrap_or_default()
}
