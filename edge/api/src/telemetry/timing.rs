//! Histograms of the stages of an upload and of the queues before them.

/// A stage of an upload, or a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Stage {
    /// The ledgers of client IP and user.
    Admit,
    Read,
    /// Inspecting and processing the image.
    Rules,
    Store,
    Commit,
    /// The whole upload.
    Whole,
    /// The queue for an upload slot.
    #[strum(serialize = "slot")]
    SlotQueue,
    /// The queue for memory for a body.
    #[strum(serialize = "body")]
    BodyQueue,
    /// The queue for memory and CPU for a decode.
    #[strum(serialize = "decode")]
    DecodeQueue,
}

impl Stage {
    pub const UPLOAD: [Self; 6] =
        [Self::Admit, Self::Read, Self::Rules, Self::Store, Self::Commit, Self::Whole];
    pub const QUEUES: [Self; 3] = [Self::SlotQueue, Self::BodyQueue, Self::DecodeQueue];
}

/// The upper bounds of the buckets; one more bucket has what takes longer. The database has them in this order.
pub const BOUNDS_MS: [u64; 11] = [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    pub sum_ms: u64,
    pub counts: [u64; BOUNDS_MS.len() + 1],
}

impl Histogram {
    pub fn observe(&mut self, took_ms: u64) {
        self.sum_ms = self.sum_ms.saturating_add(took_ms);
        let bucket = BOUNDS_MS.iter().take_while(|bound_ms| took_ms > **bound_ms).count();
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
    }

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
