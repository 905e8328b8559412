//! Structured log lines: one JSON object each. They never contain names, tokens or addresses of people.

use std::cell::Cell;

use serde_json::{Map, Value};

/// The severity of a line. Lines up to the configured level are written.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    strum::EnumString,
    strum::IntoStaticStr,
)]
#[strum(serialize_all = "lowercase", const_into_str)]
pub enum Level {
    Error,
    Warn,
    /// Every request and every scheduled job.
    #[default]
    Info,
    Debug,
}

pub type Sink = fn(Level, &str);

thread_local! {
    // Wasm has one thread, and every test has its own.
    static LEVEL: Cell<Level> = const { Cell::new(Level::Info) };
    static SINK: Cell<Sink> = const { Cell::new(write_to_stderr) };
}

/// Sets the level of the configuration.
pub fn set_level(level: Level) {
    LEVEL.set(level);
}

/// Sends lines to the console of the platform instead of the standard error.
pub fn set_sink(sink: Sink) {
    SINK.set(sink);
}

/// Whether lines of this level are written.
pub fn is_enabled(level: Level) -> bool {
    level <= LEVEL.get()
}

pub fn error(event: &str, fields: &[(&str, &str)]) {
    write(Level::Error, event, text(fields));
}

/// Logs something that is no error.
pub fn info(event: &str, fields: &[(&str, &str)]) {
    write(Level::Info, event, text(fields));
}

fn text<'a>(fields: &[(&'a str, &str)]) -> Vec<(&'a str, Value)> {
    fields.iter().map(|(name, value)| (*name, Value::from(*value))).collect()
}

/// Logs a line with fields of any type.
pub fn write(level: Level, event: &str, fields: Vec<(&str, Value)>) {
    if !is_enabled(level) {
        return;
    }
    let mut line = Map::new();
    line.insert("level".to_owned(), Value::from(level.into_str()));
    line.insert("event".to_owned(), Value::from(event));
    line.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    SINK.get()(level, &Value::Object(line).to_string());
}

fn write_to_stderr(_level: Level, line: &str) {
    #[cfg(any(test, feature = "testing"))]
    crate::testing::capture(line);
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::written;

    #[test]
    fn lines_are_written_up_to_the_level() {
        for (level, expected) in [(Level::Error, 1), (Level::Warn, 1), (Level::Info, 2)] {
            set_level(level);
            info("one", &[("a", "b\"c")]);
            error("other", &[]);
            let lines = written();
            assert_eq!(lines.len(), expected, "{level:?}");
            assert_eq!(lines[expected - 1], r#"{"event":"other","level":"error"}"#);
        }
        set_level(Level::default());
        assert_eq!("debug".parse(), Ok(Level::Debug));
        assert!("INFO".parse::<Level>().is_err());
    }
}
