//! The variables of those who run it: metrics, logs and alerts.

use super::{Reader, Variables};
use crate::{
    alert::{Webhook, WebhookKind},
    auth::KeyServerUrl,
    log::Level,
    metrics::MetricsToken,
};

/// What the sweep does about rows without an object and objects without a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SweepRepair {
    /// It reports them.
    #[default]
    Off,
    /// It removes them.
    Remove,
    /// It registers the objects again and leaves the rows as they are.
    Register,
}

impl<V: Variables> Reader<'_, V> {
    pub(super) fn sweep_repair(&mut self) -> SweepRepair {
        match self.variables.read("SWEEP_REPAIR").as_deref() {
            None | Some("off" | "false") => SweepRepair::Off,
            Some("remove" | "true") => SweepRepair::Remove,
            Some("register") => SweepRepair::Register,
            Some(_) => {
                self.problem("SWEEP_REPAIR", "off, remove or register");
                SweepRepair::Off
            }
        }
    }

    pub(super) fn metrics_token(&mut self) -> Option<MetricsToken> {
        let text = self.variables.read("METRICS_TOKEN")?;
        let token = MetricsToken::new(&text);
        if token.is_none() {
            self.problem("METRICS_TOKEN", "at least 32 characters");
        }
        token
    }

    pub(super) fn log_level(&mut self) -> Level {
        let Some(text) = self.variables.read("LOG_LEVEL") else { return Level::default() };
        Level::parse(&text).unwrap_or_else(|| {
            self.problem("LOG_LEVEL", "error, warn, info or debug");
            Level::default()
        })
    }

    /// Where messages go; the kind is told by the host unless it is said.
    pub(super) fn webhook(&mut self) -> Option<Webhook> {
        const URL: &str = "the https URL of a webhook (http only for localhost)";
        const KIND: &str = "slack or discord, when the host of ALERT_WEBHOOK_URL does not tell";
        let url = self.variables.read("ALERT_WEBHOOK_URL");
        let said = self.variables.read("ALERT_WEBHOOK_KIND");
        let kind = match said.as_deref() {
            Some(name) => WebhookKind::parse(name),
            None => url.as_deref().and_then(WebhookKind::of_host),
        };
        if kind.is_none() && (said.is_some() || url.is_some()) {
            self.problem("ALERT_WEBHOOK_KIND", KIND);
        }
        let url = url?;
        // What is safe to fetch keys from is safe to write to: nobody on the way hears the secret.
        if KeyServerUrl::parse(&url).is_none() {
            self.problem("ALERT_WEBHOOK_URL", URL);
            return None;
        }
        kind.map(|kind| Webhook::new(url, kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, tests::variables};

    const SLACK: &str = "https://hooks.slack.com/services/T0/B0/very-secret";

    fn problems(set: &[(&'static str, &'static str)]) -> Vec<&'static str> {
        let mut variables = variables();
        variables.extend(set.iter().copied());
        let problems = Config::read(&variables).expect_err("wrong");
        problems.into_iter().map(|problem| problem.variable).collect()
    }

    #[test]
    fn a_webhook_is_told_by_its_host_or_by_name() {
        let mut variables = variables();
        assert_eq!(Config::read(&variables).expect("complete").webhook, None);
        variables.insert("ALERT_WEBHOOK_URL", SLACK);
        let slack = Webhook::new(SLACK.to_owned(), WebhookKind::Slack);
        assert_eq!(Config::read(&variables).expect("complete").webhook, Some(slack));
        variables.insert("ALERT_WEBHOOK_KIND", "discord");
        let config = Config::read(&variables).expect("complete");
        assert_eq!(config.webhook, Some(Webhook::new(SLACK.to_owned(), WebhookKind::Discord)));
        assert!(!format!("{config:?}").contains("very-secret"));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let elsewhere = ("ALERT_WEBHOOK_URL", "https://chat.example/hook");
        assert_eq!(problems(&[elsewhere]), ["ALERT_WEBHOOK_KIND"]);
        assert_eq!(problems(&[("ALERT_WEBHOOK_KIND", "pager")]), ["ALERT_WEBHOOK_KIND"]);
        let plain = ("ALERT_WEBHOOK_URL", "http://hooks.slack.com/services/x");
        assert_eq!(problems(&[plain]), ["ALERT_WEBHOOK_URL"]);
        assert_eq!(problems(&[("METRICS_TOKEN", "short")]), ["METRICS_TOKEN"]);
        assert_eq!(problems(&[("LOG_LEVEL", "loud")]), ["LOG_LEVEL"]);
        assert_eq!(problems(&[("SWEEP_REPAIR", "yes")]), ["SWEEP_REPAIR"]);
    }

    #[test]
    fn the_sweep_repairs_only_when_it_is_told_how() {
        for (value, expected) in [
            ("", SweepRepair::Off),
            ("false", SweepRepair::Off),
            ("off", SweepRepair::Off),
            ("true", SweepRepair::Remove),
            ("remove", SweepRepair::Remove),
            ("register", SweepRepair::Register),
        ] {
            let mut variables = variables();
            if !value.is_empty() {
                variables.insert("SWEEP_REPAIR", value);
            }
            let config = Config::read(&variables).expect("complete");
            assert_eq!(config.sweep_repair, expected, "{value:?}");
        }
    }
}
