//! One JSON object a line. Names, tokens and addresses of people have no place in it.

use serde_json::{Map, Value};

/// A failure of ours.
pub fn error(event: &str, fields: &[(&str, &str)]) {
    write("error", event, fields);
}

/// Something of interest that is no failure.
pub fn info(event: &str, fields: &[(&str, &str)]) {
    write("info", event, fields);
}

fn write(level: &str, event: &str, fields: &[(&str, &str)]) {
    let mut line = Map::new();
    line.insert("level".to_owned(), Value::from(level));
    line.insert("event".to_owned(), Value::from(event));
    for (name, value) in fields {
        line.insert((*name).to_owned(), Value::from(*value));
    }
    emit(level, &Value::Object(line).to_string());
}

#[cfg(target_arch = "wasm32")]
fn emit(level: &str, line: &str) {
    if level == "error" {
        worker::console_error!("{line}");
    } else {
        worker::console_log!("{line}");
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn emit(_level: &str, line: &str) {
    eprintln!("{line}");
}
