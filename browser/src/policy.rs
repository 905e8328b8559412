//! Reads the policy of the edge from a JavaScript object, because a JSON parser in wasm would cost
//! every page twenty kilobytes.

use image_rules::{AspectRatio, Effort, Formats, Limits, Policy};
use js_sys::{Array, Reflect};
use wasm_bindgen::JsValue;

/// The policy that an object describes. What it leaves out, or has of another type, is as in the
/// default policy: the edge checks every upload itself, and the loss of one response should keep
/// nobody from uploading.
pub fn read(policy: &JsValue) -> Policy {
    let limits = &property(policy, "limits");
    let default = Policy::EDGE;
    Policy {
        limits: Limits {
            max_bytes: integer(limits, "maxBytes").unwrap_or(default.limits.max_bytes),
            max_pixels: integer(limits, "maxPixels").unwrap_or(default.limits.max_pixels),
            max_frames: small(limits, "maxFrames").unwrap_or(default.limits.max_frames),
            max_work_ms: integer(limits, "maxWorkMs").unwrap_or(default.limits.max_work_ms),
            max_peak_bytes: integer(limits, "maxPeakBytes")
                .unwrap_or(default.limits.max_peak_bytes),
        },
        max_edge: small(policy, "maxEdge").unwrap_or(default.max_edge),
        quality: small(policy, "quality")
            .and_then(|number| number.try_into().ok())
            .unwrap_or(default.quality),
        effort: match property(policy, "effort").as_string().as_deref() {
            Some("fast") => Effort::Fast,
            Some("balanced") => Effort::Balanced,
            Some("small") => Effort::Small,
            _ => default.effort,
        },
        target_bytes: integer(policy, "targetBytes").or(default.target_bytes),
        accepted_types: formats(&property(policy, "acceptedTypes"))
            .unwrap_or(default.accepted_types),
        min_width: small(policy, "minWidth"),
        min_height: small(policy, "minHeight"),
        aspect_ratio: property(policy, "aspectRatio")
            .as_string()
            .and_then(|text| AspectRatio::parse(&text)),
    }
}

/// A list of media types.
fn formats(types: &JsValue) -> Option<Formats> {
    let types = Array::is_array(types).then(|| Array::from(types))?;
    let names: Option<Vec<_>> = types.iter().map(|name| name.as_string()).collect();
    Formats::from_media_types(names?.iter().map(String::as_str))
}

/// A whole number; JavaScript's are exact below 2^53.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
pub fn whole(number: f64) -> Option<u64> {
    const TOO_LARGE: f64 = 9_007_199_254_740_992.0;
    (0.0..TOO_LARGE).contains(&number).then_some(number as u64)
}

fn property(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or_default()
}

fn integer(object: &JsValue, name: &str) -> Option<u64> {
    property(object, name).as_f64().and_then(whole)
}

fn small(object: &JsValue, name: &str) -> Option<u32> {
    integer(object, name).and_then(|number| number.try_into().ok())
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests {
    use js_sys::JSON;
    use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

    use super::*;

    wasm_bindgen_test_configure!(run_in_browser);

    fn policy(json: &str) -> Policy {
        read(&JSON::parse(json).expect("JSON"))
    }

    #[wasm_bindgen_test]
    fn values_that_are_missing_or_invalid_are_those_of_the_default_policy() {
        assert_eq!(read(&JsValue::UNDEFINED), Policy::EDGE);
        for value in ["null", "-1", "1e999", "9007199254740992", "\"3\"", "{}"] {
            let limits =
                format!(r#"{{"maxBytes":{value},"maxPixels":{value},"maxFrames":{value}}}"#);
            let json = format!(
                r#"{{"limits":{limits},"maxEdge":{value},"quality":{value},"effort":{value},"targetBytes":{value},
                    "acceptedTypes":{value},"minWidth":{value},"minHeight":{value},"aspectRatio":{value}}}"#
            );
            assert_eq!(policy(&json), Policy::EDGE, "{value}");
            assert_eq!(policy(value), Policy::EDGE, "{value}");
        }
        let limits = Limits { max_bytes: 10, ..Limits::EDGE };
        assert_eq!(policy(r#"{"limits":{"maxBytes":10}}"#), Policy { limits, ..Policy::EDGE });
    }

    #[wasm_bindgen_test]
    fn every_property_is_read() {
        let read = policy(
            r#"{"limits":{"maxBytes":1,"maxPixels":2,"maxFrames":3,"maxWorkMs":4,"maxPeakBytes":6},
                "maxEdge":7,"quality":8,"effort":"small","targetBytes":10,
                "acceptedTypes":["image/jpeg","image/png"],"minWidth":11,"minHeight":12,"aspectRatio":"4:3"}"#,
        );
        let limits = Limits {
            max_bytes: 1,
            max_pixels: 2,
            max_frames: 3,
            max_work_ms: 4,
            max_peak_bytes: 6,
        };
        let expected = Policy {
            limits,
            max_edge: 7,
            quality: 8,
            effort: Effort::Small,
            target_bytes: Some(10),
            accepted_types: Formats::from_media_types(["image/jpeg", "image/png"]).expect("types"),
            min_width: Some(11),
            min_height: Some(12),
            aspect_ratio: AspectRatio::parse("4:3"),
        };
        assert_eq!(read, expected);
    }
}
