//! Prints one JSON line for each file: its report, or the code of its rejection.
//!
//! `cargo run --release -p image-rules --features codec --example inspect -- [--process] [--browser] FILE…`
//!
//! With `--process` it also processes the file by the default policy of the edge or, with `--browser`, as the browser package
//! does before an upload. A file that cannot be read has a line as well and does not stop the others.

use std::{
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use image_rules::{ImageError, Plan, Policy, Processed, Report, inspect, prepare, process};
use serde_json::{Map, Value, json};

fn main() {
    let mut policy = Policy::EDGE;
    let mut with_process = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--browser" => policy = Policy::BROWSER,
            "--process" => with_process = true,
            file => println!("{}", Value::Object(line(file, &policy, with_process))),
        }
    }
}

fn line(file: &str, policy: &Policy, with_process: bool) -> Map<String, Value> {
    let mut line = Map::new();
    line.insert("file".into(), file.into());
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(cause) => {
            line.insert("unreadable".into(), cause.to_string().into());
            return line;
        }
    };
    let outcome =
        catch_unwind(AssertUnwindSafe(|| write_report(&bytes, policy, with_process, &mut line)));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(refusal)) => {
            line.insert("code".into(), refusal.code().name().into());
            line.insert("cause".into(), format!("{refusal:?}").into());
        }
        Err(_) => {
            line.insert("panic".into(), true.into());
        }
    }
    line
}

/// Adds the results up to the first rejection.
fn write_report(
    bytes: &[u8],
    policy: &Policy,
    with_process: bool,
    line: &mut Map<String, Value>,
) -> Result<(), ImageError> {
    let report = inspect(bytes, policy)?;
    line.insert("report".into(), json!(report));
    if with_process {
        line.insert("processed".into(), processed(bytes, &report, policy)?);
    }
    Ok(())
}

fn processed(bytes: &[u8], report: &Report, policy: &Policy) -> Result<Value, ImageError> {
    let plan = Plan::new(report, policy)?;
    let processed: Processed<'_> = if *policy == Policy::BROWSER {
        prepare(bytes, report.format, &Policy::EDGE)?.1
    } else {
        process(bytes, &plan, &policy.limits)?
    };
    let mut placeholder = String::new();
    for byte in processed.placeholder() {
        // Writing to a string cannot fail.
        let _ = write!(placeholder, "{byte:02x}");
    }
    Ok(json!({
        "action": processed.action(),
        "format": processed.format(),
        "width": processed.width(),
        "height": processed.height(),
        "sizeBytes": processed.bytes().len(),
        "removed": processed.removed(),
        "placeholder": placeholder,
        "peakBytes": plan.peak_bytes(),
    }))
}
