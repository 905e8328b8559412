//! Counts, for an alert, when the deployment has used 80 % of a daily ceiling and when it has reached it; each once a day.

use edge_registry::{AuditStore, ImageStore, RegistryError};
use edge_types::log;

use crate::{
    app::App,
    config::Ceilings,
    day_totals::{DAY_HOURS, DayTotals, day},
    ports::Ports,
    telemetry::{Ceiling, CeilingLevel, Metric},
};

const JOB: &str = "ceilings";
const NEAR_PERCENT: u64 = 80;

/// The scheduled run.
pub async fn run_scheduled<P: Ports>(app: &App<P>) {
    if app.config.limits.ceilings == Ceilings::default() {
        return;
    }
    if let Err(error) = check(app).await {
        log::error("ceilings_unchecked", &[("cause", &error.to_string())]);
    }
}

async fn check<P: Ports>(app: &App<P>) -> Result<(), RegistryError> {
    let (registry, now_ms) = (app.ports.registry(), app.ports.now_ms());
    let counts = registry.counts(day(now_ms) * DAY_HOURS).await?;
    let totals = DayTotals::new(&counts, now_ms);
    let Ceilings { count, bytes } = app.config.limits.ceilings;
    let levels = [
        (Ceiling::Count, level(totals.count, count)),
        (Ceiling::Bytes, level(totals.bytes, bytes)),
    ];
    // What was counted today, such as `20406 count:near`.
    let cursor = registry.job_cursor(JOB).await?;
    let (its_day, counted) = cursor.split_once(' ').unwrap_or_default();
    let counted = if its_day == totals.day.to_string() { counted } else { "" };
    let mut counted: Vec<_> =
        counted.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    let before = counted.len();
    for (ceiling, level) in levels {
        let Some(level) = level else { continue };
        let entry = format!("{}:{}", ceiling.into_str(), level.into_str());
        if !counted.contains(&entry) {
            app.isolate.counters.count(Metric::Ceiling(ceiling, level), 1);
            counted.push(entry);
        }
    }
    if counted.len() == before {
        return Ok(());
    }
    registry.set_job_cursor(JOB, &format!("{} {}", totals.day, counted.join(" "))).await
}

/// How far a ceiling is used.
fn level(used: u64, ceiling: Option<u64>) -> Option<CeilingLevel> {
    let ceiling = ceiling?;
    if used >= ceiling {
        return Some(CeilingLevel::Reached);
    }
    let near = u128::from(used) * 100 >= u128::from(ceiling) * u128::from(NEAR_PERCENT);
    near.then_some(CeilingLevel::Near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ceiling_is_near_from_four_fifths_on() {
        assert_eq!(level(u64::MAX, None), None);
        assert_eq!(level(79, Some(100)), None);
        assert_eq!(level(80, Some(100)), Some(CeilingLevel::Near));
        assert_eq!(level(99, Some(100)), Some(CeilingLevel::Near));
        assert_eq!(level(100, Some(100)), Some(CeilingLevel::Reached));
        assert_eq!(level(u64::MAX, Some(u64::MAX)), Some(CeilingLevel::Reached));
    }
}
