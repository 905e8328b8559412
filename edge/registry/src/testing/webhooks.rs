//! Events for the back end in memory.

use edge_types::UserId;

use super::FakeRegistry;
use crate::{
    EndpointTrouble, EventRecord, FailedDelivery, FailedEvent, FailedEvents, Registry,
    RegistryError, WebhookStore, webhooks::probe_pause_ms,
};

/// A row of the table.
#[derive(Clone, Debug)]
pub struct FakeWebhookEvent {
    pub record: EventRecord,
    /// `new`, `failed` or `dead`.
    pub state: &'static str,
    pub tries: u32,
    pub last_error: String,
    pub changed_ms: u64,
    pub next_ms: Option<u64>,
}

impl FakeRegistry {
    pub(super) fn add_new_event(&self, event: Option<&EventRecord>) {
        let mut events = self.webhook_events.borrow_mut();
        let Some(record) = event.cloned() else { return };
        if events.iter().all(|row| row.record.id != record.id) {
            let (tries, last_error, changed_ms) = (0, String::new(), record.created_ms);
            let state = "new";
            events.push(FakeWebhookEvent {
                record,
                state,
                tries,
                last_error,
                changed_ms,
                next_ms: None,
            });
        }
    }

    pub(super) fn reduce_events(&self, user: &UserId) {
        for row in self.webhook_events.borrow_mut().iter_mut() {
            if names(&row.record, user) {
                row.record.body = format!("{{\"data\":{{\"userId\":\"{user}\"}}}}");
            }
        }
    }
}

fn names(event: &EventRecord, user: &UserId) -> bool {
    event.body.contains(&format!("\"userId\":\"{user}\""))
}

impl WebhookStore for FakeRegistry {
    async fn endpoint(&self) -> Result<Option<EndpointTrouble>, RegistryError> {
        self.probe().await?;
        Ok(self.endpoint.borrow().clone())
    }

    async fn take_probe(&self, now_ms: u64, until_ms: u64) -> Result<bool, RegistryError> {
        self.probe().await?;
        let mut endpoint = self.endpoint.borrow_mut();
        let free =
            endpoint.as_mut().filter(|it| it.next_probe_ms <= now_ms && it.stopped_ms.is_none());
        Ok(free.map(|it| it.next_probe_ms = until_ms).is_some())
    }

    async fn note_delivery(&self, id: &str, works: bool) -> Result<(), RegistryError> {
        self.probe().await?;
        self.webhook_events.borrow_mut().retain(|row| row.record.id != id || row.state != "failed");
        if works {
            self.endpoint.take();
        }
        Ok(())
    }

    async fn note_failure(&self, failure: &FailedDelivery<'_>) -> Result<(), RegistryError> {
        self.probe().await?;
        let FailedDelivery { event, tries, error, now_ms, next_ms, is_gone } = *failure;
        let mut events = self.webhook_events.borrow_mut();
        events.retain(|row| row.record.id != event.id);
        let (record, last_error, changed_ms) = (event.clone(), error.to_owned(), now_ms);
        let state = if next_ms.is_some() { "failed" } else { "dead" };
        events.push(FakeWebhookEvent { record, state, tries, last_error, changed_ms, next_ms });
        let mut endpoint = self.endpoint.borrow_mut();
        let before = endpoint.take();
        let failures = before.as_ref().map_or(0, |it| it.failures);
        let stopped_ms = before.as_ref().and_then(|it| it.stopped_ms);
        endpoint.replace(EndpointTrouble {
            failures: failures + 1,
            failing_since_ms: before.map_or(now_ms, |it| it.failing_since_ms),
            last_failure_ms: now_ms,
            last_error: error.to_owned(),
            next_probe_ms: now_ms + probe_pause_ms(failures),
            stopped_ms: stopped_ms.or(is_gone.then_some(now_ms)),
        });
        Ok(())
    }

    async fn end_trouble(&self) -> Result<(), RegistryError> {
        self.probe().await?;
        self.endpoint.take();
        Ok(())
    }

    async fn new_events(&self, limit: u32) -> Result<Vec<EventRecord>, RegistryError> {
        self.probe().await?;
        let events = self.webhook_events.borrow();
        let new = events.iter().filter(|row| row.state == "new").map(|row| row.record.clone());
        Ok(new.take(limit as usize).collect())
    }

    async fn forget_new_event(&self, id: &str) -> Result<(), RegistryError> {
        self.probe().await?;
        self.webhook_events.borrow_mut().retain(|row| row.record.id != id || row.state != "new");
        Ok(())
    }

    async fn failed_events(&self, limit: u32) -> Result<Vec<FailedEvent>, RegistryError> {
        self.probe().await?;
        let events = self.webhook_events.borrow();
        let mut failed: Vec<_> = events
            .iter()
            .filter(|row| row.state != "new")
            .map(|row| FailedEvent {
                id: row.record.id.clone(),
                event_type: row.record.event_type.clone(),
                subject: row.record.subject.clone(),
                body: row.record.body.clone(),
                tries: row.tries,
                last_error: row.last_error.clone(),
                created_ms: row.record.created_ms,
                changed_ms: row.changed_ms,
                next_ms: row.next_ms,
            })
            .collect();
        failed.sort_by_key(|event| core::cmp::Reverse(event.changed_ms));
        failed.truncate(limit as usize);
        Ok(failed)
    }

    async fn undelivered_events_of(
        &self,
        user: &UserId,
        limit: u32,
    ) -> Result<Vec<EventRecord>, RegistryError> {
        self.probe().await?;
        let events = self.webhook_events.borrow();
        let about = events.iter().map(|row| &row.record).filter(|event| names(event, user));
        Ok(about.take(limit as usize).cloned().collect())
    }

    async fn count_failed_events(&self) -> Result<FailedEvents, RegistryError> {
        self.probe().await?;
        let events = self.webhook_events.borrow();
        let count = |state| events.iter().filter(|row| row.state == state).count() as u64;
        Ok(FailedEvents { failed: count("failed"), dead: count("dead") })
    }

    async fn renew_events(&self, ids: Option<&[String]>, limit: u32) -> Result<u64, RegistryError> {
        self.probe().await?;
        let mut events = self.webhook_events.borrow_mut();
        let is_one = |row: &&mut FakeWebhookEvent| {
            row.state != "new" && ids.is_none_or(|ids| ids.contains(&row.record.id))
        };
        let mut renewed = 0;
        for row in events.iter_mut().filter(is_one).take(limit as usize) {
            row.state = "new";
            renewed += 1;
        }
        Ok(renewed)
    }

    async fn delete_dead_events(&self, before_ms: u64) -> Result<(), RegistryError> {
        self.probe().await?;
        self.webhook_events.borrow_mut().retain(|row| match row.state {
            "dead" => row.changed_ms >= before_ms,
            "failed" => row.next_ms.is_none_or(|next_ms| next_ms >= before_ms),
            _ => true,
        });
        Ok(())
    }
}
