//! Tasks whose estimate is compared with a measurement, and the reference workload.

use std::{
    pin::Pin,
    task::{Context, Waker},
};

use image_rules::{
    Bounds, ImageError, Output, Plan, Policy, inspect, process, process_in_steps,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::effort_of;

/// One task of the image rules.
#[wasm_bindgen]
pub struct Task {
    bytes: Vec<u8>,
    policy: Policy,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    /// What is done with a picture that is sent.
    Upload,
    /// A smaller size of a stored picture.
    Preview,
    /// The first frame of an animation.
    Still,
}

#[wasm_bindgen]
impl Task {
    /// An upload to the edge, a smaller size of a stored picture (`preview`), its first frame (`still`), or what the
    /// browser does before sending (`browser`).
    ///
    /// # Panics
    /// For another kind.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(bytes: Vec<u8>, kind: &str, max_edge: u32, effort: u8) -> Self {
        let policy = Policy { max_edge, effort: effort_of(effort), ..Policy::EDGE };
        let (kind, policy) = match kind {
            "upload" => (Kind::Upload, policy),
            "browser" => (Kind::Upload, policy.before_sending()),
            "preview" => (Kind::Preview, policy),
            "still" => (Kind::Still, policy),
            _ => panic!("upload, browser, preview or still"),
        };
        Self { bytes, policy, kind }
    }

    /// The estimate, in milliseconds.
    ///
    /// # Errors
    /// Why the picture is rejected.
    pub fn estimate(&self) -> Result<f64, String> {
        self.plan().map(|plan| plan.work().as_secs_f64() * 1000.0).map_err(|error| format!("{error:?}"))
    }

    /// Inspects, plans and processes; returns what was done.
    ///
    /// # Errors
    /// Why the picture is rejected.
    pub fn carry_out(&self) -> Result<String, String> {
        let made = self.plan().and_then(|plan| process(&self.bytes[..], &plan, &self.policy.limits));
        let made = made.map_err(|error| format!("{error:?}"))?;
        let (format, bytes) = (made.format().extension(), made.bytes().len());
        Ok(format!("{:?} {format} {}x{} {bytes}", made.action(), made.width(), made.height()))
    }

    /// The same, in steps.
    ///
    /// # Errors
    /// Why the picture is rejected.
    pub fn steps(&self) -> Result<Steps, String> {
        let plan = self.plan().map_err(|error| format!("{error:?}"))?;
        let (bytes, limits) = (self.bytes.clone(), self.policy.limits);
        Ok(Steps(Box::pin(async move {
            drop(process_in_steps(bytes.into(), &plan, &limits).await);
        })))
    }

    fn plan(&self) -> Result<Plan, ImageError> {
        let report = inspect(&self.bytes, &self.policy)?;
        let bounds = Bounds::Edge(self.policy.max_edge);
        match self.kind {
            Kind::Upload => Plan::new(&report, &self.policy),
            Kind::Preview => Plan::derive(&report, &self.policy, bounds, Output::Preview),
            Kind::Still => Plan::still(&report, &self.policy, bounds),
        }
    }
}

/// A task that is carried out step by step.
#[wasm_bindgen]
pub struct Steps(Pin<Box<dyn Future<Output = ()>>>);

#[wasm_bindgen]
impl Steps {
    /// Makes the next step; returns whether another follows.
    pub fn next(&mut self) -> bool {
        self.0.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }
}

/// A megabyte, larger than the second cache of most machines.
const SAMPLES: usize = 1 << 20;

/// Work that no change of the image rules makes faster: branches and look-ups, sums of vectors, and copies, in about
/// equal parts.
#[wasm_bindgen]
#[must_use]
pub fn reference() -> u32 {
    let mut table = vec![0_u16; 1 << 15];
    let mut state = 1_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    for _ in 0..SAMPLES {
        let code = next();
        let slot = &mut table[(code >> 17) as usize];
        *slot = if code & 7 == 0 { slot.wrapping_mul(5) } else { slot.wrapping_add(code as u16) };
    }
    let source: Vec<i16> = (0..SAMPLES).map(|at| table[at & 0x7FFF]).map(u16::cast_signed).collect();
    let mut sums = vec![0_i16; SAMPLES];
    for weight in 1..=12 {
        for (sum, sample) in sums.iter_mut().zip(&source) {
            *sum = sum.wrapping_add(sample.wrapping_mul(weight));
        }
        sums.copy_within(..SAMPLES / 2, SAMPLES / 2);
    }
    sums.iter().fold(0, |sum, sample| sum.wrapping_mul(31).wrapping_add(u32::from(sample.cast_unsigned())))
}
