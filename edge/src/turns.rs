//! Work on pixels: when there is memory for it, and, when it takes long, when it is its turn. An isolate has
//! one thread, and a photo of 12 MP takes it for some fifth of a second: of twelve that come at once each
//! would begin where another ends, and nobody else would be answered until all are done.

use std::{cell::Cell, rc::Rc};

use image_rules::{Action, Format, Plan};

use crate::{
    app::{App, Ports},
    error::Refusal,
    memory::Lease,
    queue::wait,
    stats::Stage,
};

/// Decoding, resizing and encoding so many pixels takes some 30 ms.
const LONG_PIXELS: u64 = 2_000_000;
/// What others get between two that take long. A small upload takes the thread for some 10 ms in all, in
/// a dozen pieces: this is enough for several.
const REST_MS: u64 = 40;
/// No turn is longer, in which two seconds are worked at most: one of before was ended by the platform, which
/// drops nothing.
const MOST_MS: u64 = 10_000;

/// Since when something that takes long is at work, or others have their rest from it.
#[derive(Debug, Default)]
pub struct Turns(Cell<Option<u64>>);

/// One turn, until it is dropped.
#[derive(Debug)]
struct Turn {
    turns: Rc<Turns>,
    since_ms: u64,
}

impl Turns {
    fn take(self: &Rc<Self>, now_ms: u64) -> Option<Turn> {
        if self.0.get().is_some_and(|since_ms| now_ms.saturating_sub(since_ms) < MOST_MS) {
            return None;
        }
        self.0.set(Some(now_ms));
        Some(Turn { turns: Rc::clone(self), since_ms: now_ms })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // It may be another's by now.
        if self.turns.0.get() == Some(self.since_ms) {
            self.turns.0.set(None);
        }
    }
}

/// Carries out a plan once there is memory and, for one that takes long, a turn, in the order of arrival
/// among those that take long and among the others. `body` is what the same request holds of memory
/// already, and does not stand in its way.
///
/// # Errors
/// `BUSY` when it does not come in time.
pub async fn work<P: Ports, T>(
    app: &App<P>,
    plan: &Plan,
    body: Option<&Lease>,
    work: impl Future<Output = T>,
) -> Result<T, Refusal> {
    let isolate = &app.isolate;
    let budget_bytes = app.config.memory_budget_bytes;
    let is_long = is_long(plan);
    let queue = if is_long { &isolate.queues.large_decode } else { &isolate.queues.small_decode };
    let take = |now_ms, ahead| {
        if ahead > 0 {
            return None;
        }
        let turn = if is_long { Some(isolate.turns.take(now_ms)?) } else { None };
        let memory = isolate.memory.decode(plan.peak_bytes(), budget_bytes, body, now_ms)?;
        Some((turn, memory))
    };
    let waiter = queue.join(app.ports.now_ms());
    let (turn, memory) = wait(app, Stage::DecodeQueue, waiter, take).await?;
    let done = work.await;
    drop(memory);
    if turn.is_some() && isolate.places.are_shared(app.ports.now_ms()) {
        // The platform's clock stands still while we work, so that nothing but a sleep lets others go on.
        app.ports.sleep(REST_MS).await;
    }
    Ok(done)
}

/// A JPEG that is not made smaller is decoded at an eighth, which takes some milliseconds.
fn is_long(plan: &Plan) -> bool {
    let report = plan.report();
    let pixels = u64::from(report.width) * u64::from(report.height) * u64::from(report.frames);
    let is_decoded_whole = plan.action() == Action::Optimise || report.format != Format::Jpeg;
    is_decoded_whole && pixels > LONG_PIXELS
}

#[cfg(test)]
mod tests {
    use image_rules::{Policy, Report, inspect};

    use super::*;

    /// Of a photo of this size.
    fn plan(width: u32, height: u32, policy: &Policy) -> Plan {
        let photo = include_bytes!("../../tests/fixtures/jpeg/baseline-420.jpg");
        let report = inspect(photo, policy).expect("a photo");
        Plan::new(&Report { width, height, ..report }, policy).expect("fits")
    }

    #[test]
    fn one_at_a_time() {
        let turns = Rc::new(Turns::default());
        let turn = turns.take(0).expect("nobody has it");
        assert!(turns.take(MOST_MS - 1).is_none());
        let next = turns.take(MOST_MS).expect("the first one's is over");
        drop(turn);
        assert!(turns.take(MOST_MS).is_none(), "it was not the first one's to give back");
        drop(next);
        assert!(turns.take(MOST_MS).is_some());
    }

    #[test]
    fn what_is_made_smaller_takes_long_and_what_is_kept_does_not() {
        let policy = Policy::EDGE;
        assert!(is_long(&plan(4032, 3024, &policy)));
        assert!(!is_long(&plan(2048, 1536, &policy)), "kept: an eighth is decoded");
        let small = Policy { max_edge: 200, ..policy };
        assert!(is_long(&plan(2048, 1536, &small)));
        assert!(!is_long(&plan(1600, 1200, &small)));
    }
}
