//! Forms beside the verdicts of three other parsers.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

use base64ct::{Base64, Encoding};
use futures_executor::block_on;
use futures_util::{StreamExt, stream};
use image_rules::Language;
use serde_json::Value;

use super::*;

const LIMITS: BodyLimits = BodyLimits { body: 1 << 20, file: 1 << 20, field: 1 << 20 };

fn parts(boundary: &str, body: &[u8], chunk: usize) -> Result<Vec<Part>, ApiError> {
    let chunks: Vec<_> = body.chunks(chunk).map(|chunk| Ok(chunk.to_vec())).collect();
    let content_type = format!("multipart/form-data; boundary=\"{boundary}\"");
    block_on(read_parts(&content_type, stream::iter(chunks), LIMITS))
}

/// What the parsers of the oracle say of a body: name, file name and length of each part.
fn verdict(boundary: &str, body: &[u8], chunk: usize) -> Option<Value> {
    let parts = parts(boundary, body, chunk).ok()?;
    let lengths = parts.iter().map(|part| {
        let name = &part.disposition;
        let length = part.content.as_ref().map_or(0, Vec::len);
        serde_json::json!([name.name, name.file_name, length])
    });
    Some(lengths.collect())
}

const CHUNKS: [usize; 5] = [1, 2, 7, 64, 4096];

/// A form with one part, whose headers have so many bytes, and how much of an endless rest was read.
fn with_headers(bytes: usize, chunk: usize) -> (Result<usize, Problem>, usize) {
    let head = "--b\r\n";
    let name = "Content-Disposition: form-data; name=\"a\"; filename=\"";
    let padding = "n".repeat(bytes - name.len() - "\"\r\n\r\n".len());
    let body = format!("{head}{name}{padding}\"\r\n\r\n{}\r\n--b--\r\n", "x".repeat(100_000));
    let read = AtomicUsize::new(0);
    let chunks: Vec<_> = body.as_bytes().chunks(chunk).map(<[u8]>::to_vec).collect();
    let chunks = stream::iter(chunks.into_iter().map(Ok)).inspect(|chunk: &io::Result<Vec<u8>>| {
        read.fetch_add(chunk.as_ref().map_or(0, Vec::len), Ordering::Relaxed);
    });
    let parts = block_on(read_parts("multipart/form-data; boundary=b", chunks, LIMITS));
    let parts = parts.map_err(|error| match error {
        ApiError::Client(problem) => problem,
        ApiError::Internal(error) => panic!("{error:?}"),
    });
    (parts.map(|parts| parts[0].content.as_ref().map_or(0, Vec::len)), read.into_inner())
}

#[test]
fn headers_of_a_part_are_bounded_while_they_are_read() {
    for chunk in [7, 1_000, 16_384, 65_536, 1 << 20] {
        assert_eq!(with_headers(MAX_HEADER_BYTES, chunk).0, Ok(100_000), "cut at {chunk}");
        // The empty line is no header, so two bytes more than the limit pass.
        let (outcome, _) = with_headers(MAX_HEADER_BYTES + 3, chunk);
        assert!(outcome.is_err(), "cut at {chunk}");
        let (refused, read) = with_headers(900_000, chunk);
        let problem = refused.expect_err("too long");
        assert_eq!(problem.code, Code::MalformedRequest);
        assert!(problem.message(Language::En).contains("16 KB"));
        assert!(problem.message(Language::Ko).contains("16 KB"));
        assert!(read <= 2 * MAX_HEADER_BYTES + chunk, "cut at {chunk}: {read} bytes were read");
    }
}

#[test]
fn results_are_those_of_three_parsers_for_chunks_of_any_size() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora");
    let folder = env::var_os("CORPORA").map_or(beside, PathBuf::from).join("multipart");
    let Ok(oracle) = fs::read(folder.join("oracle.json")) else { return };
    let oracle: Vec<Value> = serde_json::from_slice(&oracle).expect("JSON");
    let bodies = corpus(&folder);
    let (mut agreed, mut differ) = (0, Vec::new());
    for case in &oracle {
        let body = &bodies[case["body_sha256"].as_str().expect("text")];
        let boundary = case["boundary"].as_str().expect("text");
        let ours = verdict(boundary, body, body.len().max(1));
        for chunk in CHUNKS {
            assert_eq!(verdict(boundary, body, chunk), ours, "cut at {chunk}: {}", case["case"]);
        }
        let expected = match case["class"].as_str().expect("text") {
            "all-accept" => Some(case["defnull_strict"]["parts"].clone()),
            "all-reject" => None,
            _ => continue,
        };
        if ours == expected {
            agreed += 1;
        } else {
            differ.push(format!(
                "{} {}: ours {ours:?}, theirs {expected:?}",
                case["class"], case["case"]
            ));
        }
    }
    println!("multipart: {agreed} of {} agree", agreed + differ.len());
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

/// Every body of the corpus by its digest.
fn corpus(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    use sha2::{Digest, Sha256};
    let mut bodies = Vec::new();
    for (file, field) in [("busboy", "source_b64"), ("defnull", "body_b64")] {
        let cases = fs::read(folder.join(file).join("cases.json")).expect("is there");
        let cases: Vec<Value> = serde_json::from_slice(&cases).expect("JSON");
        for case in &cases {
            let encoded = case[field].as_str().expect("text");
            bodies.push(Base64::decode_vec(encoded).expect("base64"));
        }
    }
    for name in ["python-multipart", "werkzeug"] {
        collect(&folder.join(name), &mut bodies);
    }
    bodies.into_iter().map(|body| (format!("{:x}", Sha256::digest(&body)), body)).collect()
}

fn collect(folder: &Path, bodies: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("is there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(&path, bodies);
        } else {
            bodies.push(fs::read(path).expect("readable"));
        }
    }
}
