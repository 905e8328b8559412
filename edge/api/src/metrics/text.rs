//! Metrics in Prometheus' text format (0.0.4). Names are those of the database with a prefix and a unit.

use std::fmt::Write;

use edge_registry::{FormPictures, IsolateMemory, MetricsSnapshot, Timing};

use crate::telemetry::{BOUNDS_MS, Metric, MetricFamily, Stage};

/// What is known beside the database.
pub(super) struct Environment {
    pub(super) now_ms: u64,
    pub(super) memory_budget_bytes: u64,
    pub(super) deployment: String,
    /// What forms have got within the last hour.
    pub(super) forms: Vec<FormPictures>,
}

const PREFIX: &str = "image_edge";
/// An isolate that has not written for so long is idle: a busy one writes every few seconds.
const ALIVE_MS: u64 = 60_000;

pub(super) fn write(snapshot: &MetricsSnapshot, environment: &Environment) -> String {
    let mut text = Text(String::new());
    text.build(&environment.deployment);
    let expected = Metric::expected();
    for family in MetricFamily::ALL {
        text.sums(family, snapshot, &expected);
    }
    let stages = Stage::UPLOAD.map(|stage| stage.into_str());
    text.histograms("stage", "Duration of each stage of an upload.", "stage", &stages, snapshot);
    let queues = Stage::QUEUES.map(|stage| stage.into_str());
    text.histograms(
        "queue",
        "Waiting for a slot, memory or CPU, by purpose.",
        "purpose",
        &queues,
        snapshot,
    );
    text.gauges(snapshot, environment);
    text.0
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: &str) {
        let _ = match labels {
            "" => writeln!(self.0, "{PREFIX}_{name} {value}"),
            labels => writeln!(self.0, "{PREFIX}_{name}{{{labels}}} {value}"),
        };
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, "gauge", help);
        self.sample(name, "", &value.to_string());
    }

    fn build(&mut self, deployment: &str) {
        // The platform's name of a version is not trusted.
        let plain = |it: &char| it.is_ascii_alphanumeric() || "-_.".contains(*it);
        let deployment: String = deployment.chars().filter(plain).collect();
        let version = env!("CARGO_PKG_VERSION");
        self.head("build_info", "gauge", "What is deployed.");
        let labels = format!("version=\"{version}\",deployment=\"{deployment}\"");
        self.sample("build_info", &labels, "1");
    }

    /// All counters of a family; zero for expected ones that were never incremented.
    fn sums(&mut self, family: MetricFamily, snapshot: &MetricsSnapshot, expected: &[Metric]) {
        let name = format!("{}_total", family.name);
        self.head(&name, "counter", family.help);
        let counted = snapshot.totals.iter().filter(|total| total.name == family.name);
        for total in counted.clone() {
            self.sample(&name, &total.labels, &total.total.to_string());
        }
        for labels in expected.iter().filter(|it| it.family() == family).map(|it| it.labels()) {
            if counted.clone().all(|total| total.labels != labels) {
                self.sample(&name, &labels, "0");
            }
        }
    }

    fn histograms(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: &[&str],
        snapshot: &MetricsSnapshot,
    ) {
        let name = format!("{name}_seconds");
        self.head(&name, "histogram", help);
        for value in values {
            let found = snapshot.timings.iter().find(|timing| timing.stage == *value);
            self.histogram(&name, &format!("{label}=\"{value}\""), found);
        }
    }

    fn histogram(&mut self, name: &str, labels: &str, timing: Option<&Timing>) {
        let count = |at: usize| timing.and_then(|it| it.counts.get(at)).copied().unwrap_or(0);
        let bucket = format!("{name}_bucket");
        let mut sum = 0;
        for (at, bound_ms) in BOUNDS_MS.into_iter().enumerate() {
            sum += count(at);
            let labels = format!("{labels},le=\"{}\"", seconds(bound_ms));
            self.sample(&bucket, &labels, &sum.to_string());
        }
        sum += count(BOUNDS_MS.len());
        self.sample(&bucket, &format!("{labels},le=\"+Inf\""), &sum.to_string());
        let sum_ms = timing.map_or(0, |timing| timing.sum_ms);
        self.sample(&format!("{name}_sum"), labels, &seconds(sum_ms));
        self.sample(&format!("{name}_count"), labels, &sum.to_string());
    }

    fn gauges(&mut self, snapshot: &MetricsSnapshot, environment: &Environment) {
        let alive_ms = environment.now_ms.saturating_sub(ALIVE_MS);
        let alive = || snapshot.isolates.iter().filter(move |it| it.at_ms >= alive_ms);
        let max = |of: fn(&IsolateMemory) -> u64| snapshot.isolates.iter().map(of).max();
        let used = alive().map(|it| it.used_bytes).max().unwrap_or(0);
        self.gauge("bans", "Subjects that are banned now.", snapshot.bans);
        self.gauge("isolates", "Isolates that wrote in the last minute.", alive().count() as u64);
        self.gauge(
            "memory_budget_bytes",
            "Memory that bodies and decodes of one isolate may hold.",
            environment.memory_budget_bytes,
        );
        self.gauge("memory_used_bytes", "Memory they hold, in the isolate with most.", used);
        let peak = max(|it| it.peak_bytes).unwrap_or(0);
        self.gauge("memory_peak_bytes", "The peak, of all isolates of the last hour.", peak);
        let wasm = max(|it| it.wasm_bytes).unwrap_or(0);
        self.gauge(
            "wasm_memory_bytes",
            "The largest wasm memory, of all isolates of the last hour.",
            wasm,
        );
        let help =
            "Pictures registered within the last hour: of the 20 busiest forms, and of all others.";
        self.head("form_pictures", "gauge", help);
        for form in &environment.forms {
            let labels = format!("form=\"{}\"", form.form_id);
            self.sample("form_pictures", &labels, &form.count.to_string());
        }
        self.gauge(
            "swept_timestamp_seconds",
            "The end of the last sweep.",
            snapshot.swept_ms / 1000,
        );
    }
}

/// Milliseconds as seconds, without trailing zeros.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use edge_registry::Total;

    use super::*;

    fn environment() -> Environment {
        let forms = vec![FormPictures { form_id: "stay".to_owned(), count: 3 }];
        let deployment = "v-1\"} 2\n".to_owned();
        Environment { now_ms: 100_000, memory_budget_bytes: 7, deployment, forms }
    }

    #[test]
    fn seconds_have_no_trailing_zeros() {
        for (ms, expected) in
            [(0, "0"), (5, "0.005"), (250, "0.25"), (10_000, "10"), (80_012, "80.012")]
        {
            assert_eq!(seconds(ms), expected);
        }
    }

    #[test]
    fn each_metric_occurs_once_and_is_zero_if_never_counted() {
        let reuse = Metric::Reuse;
        let totals = vec![Total::new(reuse.family().name, &reuse.labels(), 3)];
        let text = write(&MetricsSnapshot { totals, ..MetricsSnapshot::default() }, &environment());
        assert_eq!(text.matches("\nimage_edge_token_reuses_total").count(), 1);
        assert!(text.contains("\nimage_edge_token_reuses_total 3\n"));
        assert!(text.contains("\nimage_edge_storage_errors_total{kind=\"timeout\"} 0\n"));
        assert!(text.contains("image_edge_build_info{version=\"0.1.0\",deployment=\"v-12\"} 1\n"));
        assert!(text.lines().all(|line| line.starts_with("# ") || line.starts_with("image_edge_")));
    }

    #[test]
    fn buckets_add_up() {
        let mut counts = vec![0; BOUNDS_MS.len() + 1];
        (counts[0], counts[2], counts[11]) = (2, 1, 1);
        let timings = vec![Timing { stage: "store".to_owned(), sum_ms: 12_030, counts }];
        let text =
            write(&MetricsSnapshot { timings, ..MetricsSnapshot::default() }, &environment());
        for line in [
            "stage_seconds_bucket{stage=\"store\",le=\"0.005\"} 2",
            "stage_seconds_bucket{stage=\"store\",le=\"0.01\"} 2",
            "stage_seconds_bucket{stage=\"store\",le=\"0.025\"} 3",
            "stage_seconds_bucket{stage=\"store\",le=\"10\"} 3",
            "stage_seconds_bucket{stage=\"store\",le=\"+Inf\"} 4",
            "stage_seconds_sum{stage=\"store\"} 12.03",
            "stage_seconds_count{stage=\"store\"} 4",
            "queue_seconds_count{purpose=\"decode\"} 0",
        ] {
            assert!(text.contains(&format!("\nimage_edge_{line}\n")), "{line}\n{text}");
        }
    }

    #[test]
    fn silent_isolates_are_not_counted_but_their_peak_is_reported() {
        let isolate = |id: &str, at_ms, bytes| IsolateMemory {
            id: id.to_owned(),
            at_ms,
            used_bytes: bytes,
            peak_bytes: bytes,
            wasm_bytes: bytes,
        };
        let isolates =
            vec![isolate("a", 39_999, 9), isolate("b", 40_000, 4), isolate("c", 100_000, 2)];
        let text = write(
            &MetricsSnapshot { isolates, bans: 5, ..MetricsSnapshot::default() },
            &environment(),
        );
        for line in [
            "form_pictures{form=\"stay\"} 3",
            "isolates 2",
            "memory_used_bytes 4",
            "memory_peak_bytes 9",
            "bans 5",
        ] {
            assert!(text.contains(&format!("\nimage_edge_{line}\n")), "{line}");
        }
    }
}
