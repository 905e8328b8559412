//! The results as JavaScript gets them, in a real browser.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, JSON, Object, Reflect, Uint8Array};
use preflight::{Preparation, check_size, solve_puzzle};
use sha2::{Digest, Sha256};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{Blob, BlobPropertyBag};

wasm_bindgen_test_configure!(run_in_browser);

/// A GIF of one pixel, written by hand.
const PIXEL: &[u8] =
    b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";

fn blob(bytes: &[u8], declared: &str) -> Blob {
    let options = BlobPropertyBag::new();
    options.set_type(declared);
    let parts = Array::of1(&Uint8Array::from(bytes));
    Blob::new_with_u8_array_sequence_and_options(&parts, &options).expect("a blob")
}

fn policy(json: &str) -> JsValue {
    JSON::parse(json).expect("JSON")
}

fn prepare(bytes: &[u8], declared: &str, policy: &JsValue, language: &str) -> Object {
    let mut preparation =
        Preparation::new(&blob(bytes, declared), bytes.to_vec(), policy, language);
    while preparation.step() {}
    preparation.result().expect("no step is left")
}

fn property(object: &JsValue, path: &str) -> JsValue {
    path.split('.').fold(object.clone(), |at, name| {
        Reflect::get(&at, &name.into()).expect("an object with properties")
    })
}

fn text(object: &JsValue, path: &str) -> String {
    property(object, path).as_string().unwrap_or_default()
}

#[wasm_bindgen_test]
fn an_accepted_picture_has_a_report_with_numbers() {
    let result = prepare(PIXEL, "image/gif", &JsValue::UNDEFINED, "ko");
    assert_eq!(text(&result, "report.format"), "gif");
    assert_eq!(text(&result, "report.color"), "palette");
    let sizes = ["report.width", "report.height", "report.frames", "report.orientation"];
    assert_eq!(sizes.map(|path| property(&result, path).as_f64()), [Some(1.0); 4]);
    assert_eq!(property(&result, "report.sizeBytes").as_f64(), Some(35.0));
    assert_eq!(property(&result, "report.metadata.trailing").as_f64(), Some(0.0));
    assert_eq!(property(&result, "report.hasAlpha").as_bool(), Some(false));
}

#[wasm_bindgen_test]
fn refusals_have_the_public_code_and_a_message_in_the_language() {
    for (bytes, declared, code) in [
        (PIXEL, "image/jpeg", "INVALID_FILE_SIGNATURE"),
        (b"just text".as_slice(), "image/jpeg", "INVALID_FILE_SIGNATURE"),
        (PIXEL, "image/heic", "INVALID_FILE_TYPE"),
        (b"".as_slice(), "image/gif", "FILE_MISSING"),
        (PIXEL.split_at(20).0, "image/gif", "IMAGE_CORRUPT"),
    ] {
        let result = prepare(bytes, declared, &JsValue::UNDEFINED, "ko");
        assert_eq!(text(&result, "code"), code, "{declared}");
        let message = text(&result, "message");
        assert!(message.chars().any(|c| ('가'..='힣').contains(&c)), "{message}");
    }
}

#[wasm_bindgen_test]
fn the_policy_of_the_edge_is_applied() {
    let strict = prepare(PIXEL, "image/gif", &policy(r#"{"limits":{"maxBytes":10}}"#), "");
    assert_eq!(text(&strict, "code"), "FILE_TOO_LARGE");
    let invalid = prepare(PIXEL, "image/gif", &policy(r#"{"limits":null,"quality":"high"}"#), "");
    assert!(property(&invalid, "report").is_object());
}

#[wasm_bindgen_test]
fn an_unchanged_picture_has_no_bytes_and_a_changed_one_has() {
    let kept = prepare(PIXEL, "image/gif", &JsValue::UNDEFINED, "");
    assert!(property(&kept, "bytes").is_undefined());
    let mut private = PIXEL.to_vec();
    private.extend_from_slice(b"PK\x03\x04");
    let changed = prepare(&private, "image/gif", &JsValue::UNDEFINED, "");
    assert_eq!(text(&changed, "removed.0"), "trailing");
    assert_eq!(Uint8Array::new(&property(&changed, "bytes")).to_vec(), PIXEL);
}

#[wasm_bindgen_test]
fn a_file_that_is_too_large_is_refused_without_its_bytes() {
    assert!(check_size(&blob(PIXEL, "image/gif"), &JsValue::UNDEFINED, "en").is_none());
    let large = blob(&vec![0; 50 * 1024 * 1024 + 1], "image/gif");
    let result = check_size(&large, &JsValue::UNDEFINED, "en").expect("above the limit");
    assert_eq!(text(&result, "code"), "FILE_TOO_LARGE");
    let message = text(&result, "message");
    assert!(message.contains("50.0 MB is the most"), "{message}");
}

#[wasm_bindgen_test]
fn the_number_of_a_puzzle_is_the_first_one_by_another_implementation() {
    let salt: Vec<u8> = (100..132).collect();
    let zero_bits = |number: u32, index: u8| {
        let message = [&salt[..], &number.to_be_bytes(), &[index]].concat();
        let hash = Sha256::digest(message);
        u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]).leading_zeros()
    };
    for index in 0..32 {
        let bits = u32::from(index) % 14;
        let expected = (0..).find(|number| zero_bits(*number, index) >= bits);
        assert_eq!(solve_puzzle(&salt, index, bits), expected, "{index}");
    }
    for length in [0, 31, 33, 64] {
        assert_eq!(solve_puzzle(&vec![0; length], 0, 0), None, "a salt of {length} bytes");
    }
}
