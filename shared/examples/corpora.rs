//! Runs the image rules on the files of public corpora, and compares the verdicts with those of two other decoders.
//!
//! `cargo run --release -p image-rules --features codec --example corpora -- DIR`, where `DIR` contains the files and their
//! `MANIFEST.tsv`. Exits with 1 after a panic, or when a result violates our rules: it must be accepted again, clean, and of the
//! reported size.

use std::{
    collections::BTreeMap,
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use image_rules::{Code, ImageError, Plan, Policy, inspect, process};

/// Folders whose files are images.
const PICTURES: [&str; 7] = ["bombs/", "exif/", "gif/", "jpeg/", "masquerade/", "png/", "webp/"];

/// Intended differences from the other decoders, with the reason.
const STATED: [(&str, &str); 1] =
    [("testimgari.jpg", "arithmetic coding: libjpeg-turbo decodes it, no browser shows it")];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let dir = std::env::args().nth(1).ok_or("usage: corpora DIR")?;
    let dir = Path::new(&dir);
    let manifest = std::fs::read_to_string(dir.join("MANIFEST.tsv"))?;
    // A panic is counted and listed; its backtrace is suppressed to keep the list readable.
    std::panic::set_hook(Box::new(|_| {}));
    let mut corpora = BTreeMap::<&str, Tally>::new();
    for row in manifest.lines().filter_map(Row::parse) {
        let bytes = std::fs::read(dir.join(row.path))?;
        corpora.entry(row.corpus()).or_default().take(&row, &bytes);
    }
    let mut all = Tally::default();
    for (corpus, tally) in &corpora {
        tally.print(corpus);
        all.add(tally);
    }
    println!();
    all.print_counts("all");
    let sound = all.panics.is_empty() && all.broken.is_empty();
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The entry of the manifest for one file.
struct Row<'a> {
    path: &'a str,
    expected: Expected,
}

#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Accept,
    Reject,
    Either,
}

impl<'a> Row<'a> {
    /// The columns: path, source, licence, expected, notes, class by the other decoders, …
    fn parse(line: &'a str) -> Option<Self> {
        let columns: Vec<_> = line.split('\t').collect();
        let [path, _, _, says, _, class, ..] = columns[..] else { return None };
        let is_picture = PICTURES.iter().any(|folder| path.starts_with(folder));
        let is_list = Path::new(path).extension().is_some_and(|extension| extension == "md5");
        if !is_picture || is_list {
            return None;
        }
        let expected = match class.split(' ').next() {
            Some("consensus-accept") => Expected::Accept,
            Some("consensus-reject" | "bomb") => Expected::Reject,
            Some("disputed") => Expected::Either,
            // A few files have no verdict of the decoders; their authors describe them.
            _ if says.starts_with("accept") => Expected::Accept,
            _ => return None,
        };
        Some(Self { path, expected })
    }

    /// The first two folders.
    fn corpus(&self) -> &'a str {
        let end = self.path.match_indices('/').nth(1).map_or(self.path.len(), |(at, _)| at);
        self.path.get(..end).unwrap_or(self.path)
    }

    fn stated_reason(&self) -> Option<&'static str> {
        STATED.iter().find(|(name, _)| self.path.ends_with(name)).map(|(_, reason)| *reason)
    }
}

#[derive(Default)]
struct Tally {
    files: u32,
    accepted: u32,
    refused: BTreeMap<Code, u32>,
    disagreements: Vec<String>,
    broken: Vec<String>,
    panics: Vec<String>,
    slowest: (Duration, String),
}

impl Tally {
    fn take(&mut self, row: &Row<'_>, bytes: &[u8]) {
        self.files += 1;
        let start = Instant::now();
        let verdict = catch_unwind(AssertUnwindSafe(|| judge(bytes)));
        self.slowest = self.slowest.clone().max((start.elapsed(), row.path.to_owned()));
        let Ok(verdict) = verdict else {
            self.panics.push(row.path.to_owned());
            return;
        };
        match &verdict {
            Ok(law) => {
                self.accepted += 1;
                self.broken.extend(law.map(|law| format!("{}: {law}", row.path)));
            }
            Err(refusal) => *self.refused.entry(refusal.code()).or_default() += 1,
        }
        let differs = match row.expected {
            Expected::Accept => verdict.is_err(),
            Expected::Reject => verdict.is_ok(),
            Expected::Either => false,
        };
        if differs {
            let ours = verdict.map_or_else(|refusal| format!("{refusal:?}"), |_| "accepted".into());
            let reason = row.stated_reason().unwrap_or("UNEXPLAINED");
            self.disagreements.push(format!("{}: {ours} ({reason})", row.path));
        }
    }

    fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.accepted += other.accepted;
        for (code, count) in &other.refused {
            *self.refused.entry(*code).or_default() += count;
        }
        self.disagreements.extend_from_slice(&other.disagreements);
        self.broken.extend_from_slice(&other.broken);
        self.panics.extend_from_slice(&other.panics);
        self.slowest = self.slowest.clone().max(other.slowest.clone());
    }

    fn print(&self, corpus: &str) {
        self.print_counts(corpus);
        for disagreement in &self.disagreements {
            println!("    differs: {disagreement}");
        }
        for law in &self.broken {
            println!("    BROKEN: {law}");
        }
        for panic in &self.panics {
            println!("    PANIC: {panic}");
        }
    }

    fn print_counts(&self, corpus: &str) {
        let refused: Vec<_> =
            self.refused.iter().map(|(code, count)| format!("{} {count}", code.name())).collect();
        let (elapsed, path) = &self.slowest;
        println!(
            "{corpus}: {} files, {} accepted, refused: {}; {} differ, {} panics; slowest {:.1} ms {path}",
            self.files,
            self.accepted,
            if refused.is_empty() { "none".into() } else { refused.join(", ") },
            self.disagreements.len(),
            self.panics.len(),
            elapsed.as_secs_f64() * 1000.0,
        );
    }
}

/// The response to an upload with the edge's default policy, and the violated rule, if any.
fn judge(bytes: &[u8]) -> Result<Option<&'static str>, ImageError> {
    let policy = Policy::EDGE;
    let report = inspect(bytes, &policy)?;
    let processed = process(bytes, &Plan::new(&report, &policy)?, &policy.limits)?;
    let Ok(after) = inspect(processed.bytes(), &policy) else {
        return Ok(Some("what came out is refused"));
    };
    let size = (processed.width(), processed.height());
    Ok(if !after.is_clean() {
        Some("what came out is not clean")
    } else if after.upright_size() != size || after.format != processed.format() {
        Some("the result differs from the report")
    } else if after.frames != report.frames {
        Some("frames were lost")
    } else if processed.bytes().len() > bytes.len() && report.is_clean() {
        Some("what came out is larger than what came in")
    } else {
        None
    })
}
