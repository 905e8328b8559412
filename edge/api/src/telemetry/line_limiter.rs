//! Limits how many lines an isolate writes about refusals, so that an overload or a flood does not become a flood of
//! lines: each is a billed event, and under `wrangler dev` writing them took two thirds of the throughput.

use std::{cell::RefCell, collections::BTreeMap};

/// Of each outcome in each window. An honest caller's refusal is far below this, so its request id leads to a line.
const LINES_PER_WINDOW: u32 = 60;
const WINDOW_MS: u64 = 60_000;

/// The lines that were written and suppressed, by outcome. Outcomes are a closed set, so it stays small.
#[derive(Debug, Default)]
pub struct LineLimiter(RefCell<BTreeMap<&'static str, Window>>);

#[derive(Debug, Default)]
struct Window {
    since_ms: u64,
    lines: u32,
    suppressed: u64,
}

impl LineLimiter {
    /// Whether a line about this outcome may be written now; if so, how many were suppressed since the last one.
    pub fn admit(&self, outcome: &'static str, now_ms: u64) -> Option<u64> {
        let mut windows = self.0.borrow_mut();
        let window = windows.entry(outcome).or_default();
        if now_ms.saturating_sub(window.since_ms) >= WINDOW_MS {
            (window.since_ms, window.lines) = (now_ms, 0);
        }
        if window.lines >= LINES_PER_WINDOW {
            window.suppressed += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn sixty_lines_a_minute_of_each_outcome_and_the_next_says_how_many_were_suppressed() {
        let limiter = LineLimiter::default();
        for _ in 0..60 {
            assert_eq!(limiter.admit("BUSY", NOW_MS), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(limiter.admit("BUSY", NOW_MS + 59_999), None);
        }
        assert_eq!(limiter.admit("IMAGE_CORRUPT", NOW_MS), Some(0), "others have their own");
        assert_eq!(limiter.admit("BUSY", NOW_MS + 60_000), Some(1000));
        assert_eq!(limiter.admit("BUSY", NOW_MS + 60_000), Some(0));
    }
}
