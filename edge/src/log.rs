//! One JSON object a line, from a level on. Names, tokens and addresses of people have no place in it.

mod limiter;
mod request;

pub use limiter::LineLimiter;
pub use request::request;

use std::cell::Cell;

use serde_json::{Map, Value};

/// How much a line matters; whoever listens from one level on hears those before it, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A failure of ours.
    Error,
    /// A refusal.
    Warn,
    /// Every request, and what is done every few minutes.
    #[default]
    Info,
    /// Also what machines ask all the time.
    Debug,
}

impl Level {
    /// By its name in the configuration.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Error, Self::Warn, Self::Info, Self::Debug].into_iter().find(|it| it.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

thread_local! {
    /// From the configuration; wasm has one thread.
    static LEVEL: Cell<Level> = const { Cell::new(Level::Info) };
}

/// From now on lines are written from this level on.
pub fn set_level(level: Level) {
    LEVEL.set(level);
}

/// A failure of ours.
pub fn error(event: &str, fields: &[(&str, &str)]) {
    write(Level::Error, event, text(fields));
}

/// Something of interest that is no failure.
pub fn info(event: &str, fields: &[(&str, &str)]) {
    write(Level::Info, event, text(fields));
}

fn text<'a>(fields: &[(&'a str, &str)]) -> Vec<(&'a str, Value)> {
    fields.iter().map(|(name, value)| (*name, Value::from(*value))).collect()
}

fn is_heard(level: Level) -> bool {
    level <= LEVEL.get()
}

fn write(level: Level, event: &str, fields: Vec<(&str, Value)>) {
    if !is_heard(level) {
        return;
    }
    let mut line = Map::new();
    line.insert("level".to_owned(), Value::from(level.name()));
    line.insert("event".to_owned(), Value::from(event));
    line.extend(fields.into_iter().map(|(name, value)| (name.to_owned(), value)));
    emit(level, &Value::Object(line).to_string());
}

#[cfg(target_arch = "wasm32")]
fn emit(level: Level, line: &str) {
    match level {
        Level::Error => worker::console_error!("{line}"),
        Level::Warn => worker::console_warn!("{line}"),
        Level::Info | Level::Debug => worker::console_log!("{line}"),
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn emit(_level: Level, line: &str) {
    #[cfg(test)]
    tests::WRITTEN.with_borrow_mut(|lines| lines.push(line.to_owned()));
    eprintln!("{line}");
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::RefCell;

    use super::*;

    thread_local! {
        pub(super) static WRITTEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    /// The lines that this test has written since it last asked.
    pub(crate) fn written() -> Vec<String> {
        WRITTEN.take()
    }

    #[test]
    fn lines_are_written_from_the_level_on() {
        for (level, expected) in [(Level::Error, 1), (Level::Warn, 1), (Level::Info, 2)] {
            set_level(level);
            info("one", &[("a", "b\"c")]);
            error("other", &[]);
            let lines = written();
            assert_eq!(lines.len(), expected, "{level:?}");
            assert_eq!(lines[expected - 1], r#"{"event":"other","level":"error"}"#);
        }
        set_level(Level::default());
        assert_eq!(Level::parse("debug"), Some(Level::Debug));
        assert_eq!(Level::parse("INFO"), None);
    }
}
