//! How long the stages of an upload and the waits before them take: histograms with fixed buckets.

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The ledgers of the address and the user are asked.
    Admit,
    /// The body is read.
    Read,
    /// The image rules look at the picture and do what they decide.
    Rules,
    /// The object is stored.
    Store,
    /// The ledger accepts it.
    Commit,
    /// All of an upload, from its head to its answer.
    Whole,
    /// An upload waits for a place.
    PlaceQueue,
    /// A body waits for memory.
    BodyQueue,
    /// A decode waits for memory.
    DecodeQueue,
}

impl Stage {
    /// Those of an upload.
    pub const UPLOAD: [Self; 6] =
        [Self::Admit, Self::Read, Self::Rules, Self::Store, Self::Commit, Self::Whole];
    /// Waiting for what others hold.
    pub const QUEUES: [Self; 3] = [Self::PlaceQueue, Self::BodyQueue, Self::DecodeQueue];

    /// As it stands in the registry, in metrics and in `Server-Timing`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Read => "read",
            Self::Rules => "rules",
            Self::Store => "store",
            Self::Commit => "commit",
            Self::Whole => "whole",
            Self::PlaceQueue => "place",
            Self::BodyQueue => "body",
            Self::DecodeQueue => "decode",
        }
    }
}

/// The upper bounds of the buckets; what takes longer lies beyond. The columns of `timings` are named
/// for them.
pub const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// How often something took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Milliseconds in all.
    pub sum_ms: u64,
    /// How often, for each bucket and beyond.
    pub counts: [u64; BOUNDS_MS.len() + 1],
}

impl Histogram {
    /// It took so long.
    pub fn observe(&mut self, took_ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        let bucket = BOUNDS_MS.iter().take_while(|bound_ms| took_ms > **bound_ms).count();
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

    /// What another counted is counted here, too.
    pub fn add(&mut self, more: &Self) {
        self.sum_ms = self.sum_ms.saturating_add(more.sum_ms);
        for (count, more) in self.counts.iter_mut().zip(more.counts) {
            *count = count.saturating_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_its_bucket() {
        let mut histogram = Histogram::default();
        for took_ms in [0, 5, 6, 10_000, 10_001, 60_000] {
            histogram.observe(took_ms);
        }
        assert_eq!(histogram.counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(histogram.sum_ms, 80_012);
        let mut twice = histogram;
        twice.add(&histogram);
        assert_eq!(twice.counts[0], 4);
        assert_eq!(twice.sum_ms, 160_024);
    }
}
