//! One JSON line for each file: what is in it, or the code it is refused with.
//!
//! `cargo run --release -p image-rules --features codec --example inspect -- [--browser] FILE…`
//!
//! A file that cannot be read, or that breaks the rules themselves, gets its line too; the rest go on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image_rules::{ImageError, Policy, inspect};
use serde_json::{Value, json};

fn main() {
    let mut policy = Policy::EDGE;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--browser" => policy = Policy::BROWSER,
            file => println!("{}", line(file, &policy)),
        }
    }
}

fn line(file: &str, policy: &Policy) -> Value {
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(cause) => return json!({ "file": file, "unreadable": cause.to_string() }),
    };
    let answer = catch_unwind(AssertUnwindSafe(|| match inspect(&bytes, policy) {
        Ok(report) => json!({ "file": file, "report": report }),
        Err(refusal) => refused(file, &refusal),
    }));
    answer.unwrap_or_else(|_| json!({ "file": file, "panic": true }))
}

fn refused(file: &str, refusal: &ImageError) -> Value {
    json!({ "file": file, "code": refusal.code().name(), "cause": format!("{refusal:?}") })
}
