//! Hostile input: every prefix of every fixture, thousands of seeded mutations, and bombs.
//!
//! No input may cause a panic, a hang, or more memory than computed, which a counting allocator measures. The codes of single
//! faults are tested beside the code.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "../fixture/mod.rs"]
mod fixture;
#[path = "../many_codes/mod.rs"]
mod many_codes;

mod bombs;
mod exercise;
mod mutate;
#[cfg(feature = "codec")]
mod polyglots;
#[cfg(feature = "codec")]
mod profiles;
mod repair;

use exercise::{Verdict, exercise};
#[cfg(feature = "codec")]
use image_rules::Format;
use image_rules::{Limits, Policy};
use mutate::Dice;
use std::{
    fs, panic,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// Mutations per fixture; more than 27,000 in total.
const MUTATIONS: u64 = 600;

/// Small limits, so that a mutated header cannot make a run long: 1 MP, 16 MiB.
const POLICY: Policy = Policy {
    limits: Limits {
        max_pixels: 1_000_000,
        max_frames: 20,
        max_work_ms: 200,
        max_peak_bytes: 16 << 20,
        ..Limits::EDGE
    },
    max_edge: 20,
    ..Policy::EDGE
};

/// One test runs at a time, because the allocator counts for the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one input, and writes it to a file when it fails.
fn survive(name: &str, bytes: &[u8], policy: &Policy) -> Verdict {
    panic::catch_unwind(|| exercise(bytes, policy)).unwrap_or_else(|_| {
        let left = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name.replace(['/', ' '], "-"));
        fs::write(&left, bytes).expect("a writable folder");
        panic!("{name}: see above; the input is {}", left.display());
    })
}

#[test]
fn every_prefix_is_refused_or_known_to_be_cut() {
    let _turn = alone();
    for fixture in fixture::all() {
        let whole = survive(&fixture.name, &fixture.bytes, &POLICY).expect("a sound fixture");
        let picture_bytes = whole.size_bytes - whole.metadata.trailing;
        for end in 0..fixture.bytes.len() {
            let name = format!("{} first {end}", fixture.name);
            if let Ok(report) = survive(&name, &fixture.bytes[..end], &POLICY) {
                assert!(report.unterminated || end as u64 >= picture_bytes, "{name}");
            }
        }
    }
}

#[test]
fn mutations_cause_no_panic_and_no_excess_memory() {
    let _turn = alone();
    let (start, mut accepted, mut runs) = (Instant::now(), 0, 0);
    for fixture in fixture::all() {
        for seed in 0..MUTATIONS {
            let mut bytes = fixture.bytes.clone();
            mutate::mutate(&mut bytes, &mut Dice::new(seed));
            let name = format!("{} seed {seed}", fixture.name);
            accepted += u32::from(survive(&name, &bytes, &POLICY).is_ok());
            runs += 1;
        }
    }
    println!("{runs} mutations, {accepted} accepted, {:?}", start.elapsed());
    assert!(accepted > runs / 20, "too many mutations are rejected by the first checks");
}

/// A missing end mark, which decoders accept, is added before the image is stored.
#[cfg(feature = "codec")]
#[test]
fn a_missing_end_mark_is_restored() {
    use image_rules::{Action, Plan, inspect, process};
    let policy = Policy::EDGE;
    for fixture in fixture::all() {
        let whole = inspect(&fixture.bytes, &policy).expect("a sound fixture");
        let mark_bytes = match whole.format {
            Format::Png => 12,
            Format::Gif => 1,
            Format::Jpeg | Format::WebP => continue,
        };
        let cut = &fixture.bytes[..fixture.bytes.len() - mark_bytes];
        let report = inspect(cut, &policy).expect("decoders accept it");
        let plan = Plan::new(&report, &policy).expect("a small picture");
        let made = process(cut, &plan, &policy.limits).expect(&fixture.name);
        assert_eq!(made.action(), Action::Scrub, "{}", fixture.name);
        if whole.is_clean() {
            assert_eq!(made.bytes(), fixture.bytes, "{}", fixture.name);
        }
    }
}
