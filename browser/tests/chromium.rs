//! The verdicts as JavaScript gets them, in a real browser.
#![cfg(target_arch = "wasm32")]

use preflight::{Job, Outcome, too_large};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// A GIF of one pixel, written by hand.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

fn prepare(bytes: &[u8], declared: &str, policy: &[f64], language: &str) -> Outcome {
    let mut job = Job::new(bytes.to_vec(), declared, policy, language);
    while job.step() {}
    job.outcome().expect("no step is left")
}

fn check(bytes: &[u8], declared: &str, policy: &[f64]) -> serde_json::Value {
    let told = prepare(bytes, declared, policy, "ko").told();
    serde_json::from_str(&told).expect("what is told is JSON")
}

#[wasm_bindgen_test]
fn a_picture_is_accepted_with_its_size() {
    let verdict = check(PIXEL, "image/gif", &[]);
    assert_eq!(verdict["report"]["format"], "gif", "{verdict}");
    assert_eq!(
        (verdict["report"]["width"].as_u64(), verdict["report"]["height"].as_u64()),
        (Some(1), Some(1))
    );
}

#[wasm_bindgen_test]
fn refusals_carry_the_public_code() {
    for (bytes, declared, code) in [
        (PIXEL, "image/jpeg", "INVALID_FILE_SIGNATURE"),
        (b"just text".as_slice(), "image/jpeg", "INVALID_FILE_SIGNATURE"),
        (PIXEL, "image/heic", "INVALID_FILE_TYPE"),
        (b"".as_slice(), "image/gif", "FILE_MISSING"),
        (PIXEL.split_at(20).0, "image/gif", "IMAGE_CORRUPT"),
    ] {
        let verdict = check(bytes, declared, &[]);
        assert_eq!(verdict["code"], code, "{declared}");
        let sentence = verdict["sentence"].as_str().expect("refusals say why");
        assert!(sentence.chars().any(|c| ('가'..='힣').contains(&c)), "{sentence}");
    }
}

#[wasm_bindgen_test]
fn the_policy_of_the_edge_is_obeyed() {
    assert_eq!(check(PIXEL, "image/gif", &[10.0])["code"], "FILE_TOO_LARGE");
    assert!(check(PIXEL, "image/gif", &[f64::NAN; 9])["report"].is_object());
}

#[wasm_bindgen_test]
fn a_kept_picture_has_no_bytes_of_its_own_and_another_has() {
    assert_eq!(prepare(PIXEL, "image/gif", &[], "").bytes(), None);
    let mut private = PIXEL.to_vec();
    private.extend_from_slice(b"PK\x03\x04");
    let outcome = prepare(&private, "image/gif", &[], "");
    assert!(outcome.told().contains(r#""removed":["trailing"]"#), "{}", outcome.told());
    assert_eq!(outcome.bytes().as_deref(), Some(PIXEL));
}

#[wasm_bindgen_test]
fn a_file_that_no_one_shrinks_need_not_be_read() {
    let most = 50.0 * 1024.0 * 1024.0;
    assert_eq!(too_large(most, &[], "en"), None);
    let told = too_large(most + 1.0, &[], "en").expect("above the limit");
    assert!(told.contains("FILE_TOO_LARGE") && told.contains("50.0 MB is the most"), "{told}");
}
