//! Sends the events of the outbox to the back end: at least once, those of one picture in their order. A failed attempt
//! is repeated for three days; then the event is given up, and the next of the picture is sent.
//!
//! All ledgers share one endpoint, whose state is in the database. While it fails, one delivery at a time tries it.

use edge_registry::{EndpointTrouble, EventRecord, FailedDelivery, WebhookStore};
use edge_storage::ObjectKey;
use edge_types::log;
use futures_util::future::join_all;
use serde_json::Value;

use crate::{
    Answer, CommandError, DeliveryError, EnqueueEvent, EventOutcome, EventQueue, EventType,
    LedgerDeps, LedgerService, LedgerStorage, RefuseImage, ReleaseImage, Verdict, WebhookEvent,
    account::Decision,
    storage::StorageResult,
    webhook::{WAIT_MS, pause_ms},
};

/// Deliveries of one run of the alarm, at the same time. The next run follows at once, after the clean-up that is due
/// by then.
const DELIVERIES: u32 = 4;
const TIMEOUT_MS: u64 = 15_000;
/// How long one delivery may try an endpoint that fails: the timeouts of the delivery and of the database.
const PROBE_MS: u64 = 20_000;
/// After what time a ledger looks again whether events are wanted.
const STOPPED_MS: u64 = 3_600_000;
/// When the database could not be asked, or lost the reason of a failure.
const RETRY_MS: u64 = 60_000;
/// Within this time ledgers look again that found another one trying the endpoint.
const SPREAD_MS: u64 = 5_000;

/// Whether the endpoint takes events now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Permit {
    Open,
    /// For one delivery.
    Probe,
    /// Not before this time.
    Held(u64),
}

impl<S: LedgerStorage, D: LedgerDeps> LedgerService<'_, S, D> {
    /// Sends what is due.
    pub(crate) async fn deliver_due(&self) -> StorageResult<()> {
        let now_ms = self.deps.now_ms();
        if self.storage.next_delivery_ms()?.is_none_or(|due_ms| due_ms > now_ms) {
            return Ok(());
        }
        if self.deps.event_settings().is_none() {
            // Nobody gets them any more.
            return self.storage.delete_queues();
        }
        let mut due = self.storage.due_queues(now_ms, DELIVERIES)?;
        if due.is_empty() {
            // An upload is waiting for them.
            self.storage.hold_deliveries(now_ms.saturating_add(1_000));
            return Ok(());
        }
        let _run = self.storage.begin_delivery_run();
        match self.permit().await {
            Permit::Held(until_ms) => self.storage.hold_deliveries(until_ms),
            Permit::Open => self.deliver_all(due).await?,
            Permit::Probe => {
                let rest = due.split_off(1);
                let mut works = false;
                for first in due {
                    works = self.deliver(&first, TIMEOUT_MS, true).await?.is_ok();
                }
                if works {
                    self.deliver_all(rest).await?;
                }
            }
        }
        Ok(())
    }

    async fn deliver_all(&self, queues: Vec<EventQueue>) -> StorageResult<()> {
        let deliveries = queues.iter().map(|queue| self.deliver(queue, TIMEOUT_MS, false));
        let outcomes = join_all(deliveries).await;
        outcomes.into_iter().try_for_each(|outcome| outcome.map(|_| ()))
    }

    /// Sends the event of an upload that waits for the answer, unless it is being sent.
    pub(crate) async fn await_answer(&self, key: &ObjectKey) -> StorageResult<Option<Value>> {
        let Some(queue) = self.storage.queue_of(&EventQueue::stream_of(key))? else {
            return Ok(None);
        };
        let is_new = queue.tries == 0
            && queue.events.first().is_some_and(|first| {
                matches!(first.event_type, EventType::ImageStored | EventType::ImageHeld)
            });
        if !is_new || self.deps.event_settings().is_none() {
            return Ok(None);
        }
        let permit = self.permit().await;
        if let Permit::Held(_) = permit {
            return Ok(None);
        }
        let outcome = self.deliver(&queue, WAIT_MS, permit == Permit::Probe).await?;
        Ok(outcome.ok().and_then(|answer| answer.server_data))
    }

    /// Adds an event of the database, or sends one again that is still in the outbox.
    pub(crate) fn enqueue(&self, command: EnqueueEvent) -> StorageResult<()> {
        let EnqueueEvent { event, stream } = command;
        self.storage.renew_event(&stream, event, self.deps.now_ms())
    }

    async fn permit(&self) -> Permit {
        let (store, now_ms) = (self.deps.webhook_store(), self.deps.now_ms());
        let later =
            |ms: u64, spread_ms: u64| Permit::Held(ms + self.deps.random_u64() % spread_ms.max(1));
        let unknown = |error| {
            log::error("endpoint_unknown", &[("cause", &format!("{error}"))]);
            later(now_ms + RETRY_MS, SPREAD_MS)
        };
        match store.endpoint().await {
            Ok(None) => Permit::Open,
            Ok(Some(EndpointTrouble { stopped_ms: Some(_), .. })) => {
                later(now_ms + STOPPED_MS, STOPPED_MS / 4)
            }
            Ok(Some(trouble)) if trouble.next_probe_ms > now_ms => {
                let pause_ms = trouble.next_probe_ms - now_ms;
                later(trouble.next_probe_ms, SPREAD_MS.max(pause_ms / 4))
            }
            Ok(Some(_)) => match store.take_probe(now_ms, now_ms + PROBE_MS).await {
                Ok(true) => Permit::Probe,
                Ok(false) => later(now_ms + 1_000, SPREAD_MS),
                Err(error) => unknown(error),
            },
            Err(error) => unknown(error),
        }
    }

    /// One attempt to send the first event of a queue, unless it is being sent.
    async fn deliver(
        &self,
        queue: &EventQueue,
        timeout_ms: u64,
        is_probe: bool,
    ) -> StorageResult<Result<Answer, DeliveryError>> {
        let Some(event) = queue.events.first() else { return Ok(Err(DeliveryError::Timeout)) };
        let Some(_attempt) = self.storage.begin_attempt(&queue.stream) else {
            return Ok(Err(DeliveryError::Timeout));
        };
        let mut outcome = self.deps.deliver(event, timeout_ms).await;
        if let Ok(Answer { decision: Some(verdict), .. }) = &outcome
            && let Err(error) = self.carry_out(event, verdict).await
        {
            // The back end is asked again.
            log::error("decision_lost", &[("cause", &error.to_string())]);
            outcome = Err(DeliveryError::Undecided);
        }
        match &outcome {
            Ok(_) => self.end_delivery(queue, event, is_probe).await?,
            Err(error) => self.fail_delivery(queue, event, *error).await?,
        }
        Ok(outcome)
    }

    /// Carries out what the back end decided about a held picture. One that is not held stays as it is.
    async fn carry_out(&self, event: &WebhookEvent, verdict: &Verdict) -> Result<(), CommandError> {
        let Some(key) = event.key() else { return Ok(()) };
        let decision = match verdict {
            Verdict::Release => Decision::Release(ReleaseImage { key }),
            Verdict::Refuse { reason } => {
                let reason = reason.clone().unwrap_or_default();
                Decision::Refuse(RefuseImage { key, reason, place: None })
            }
        };
        self.decide(decision).await.map(|_| ())
    }

    /// The database forgets first that an attempt failed: an event that is sent twice does less harm than one that is shown
    /// as failed.
    async fn end_delivery(
        &self,
        queue: &EventQueue,
        event: &WebhookEvent,
        is_probe: bool,
    ) -> StorageResult<()> {
        if (queue.tries > 0 || is_probe)
            && let Err(error) = self.deps.webhook_store().note_delivery(&event.id, is_probe).await
        {
            log::error("delivery_unnoted", &[("cause", &error.to_string())]);
        }
        self.deps.count_events(EventOutcome::Delivered, 1);
        self.storage.end_attempt(queue, None, self.deps.now_ms())
    }

    /// An event is given up only when the database has it.
    async fn fail_delivery(
        &self,
        queue: &EventQueue,
        event: &WebhookEvent,
        error: DeliveryError,
    ) -> StorageResult<()> {
        let (now_ms, tries) = (self.deps.now_ms(), queue.tries.saturating_add(1));
        let mut next_ms = pause_ms(tries, self.deps.random_u64()).map(|pause_ms| now_ms + pause_ms);
        let cause = error.to_string();
        log::info("event_undelivered", &[("id", &event.id), ("cause", &cause)]);
        let record = EventRecord {
            id: event.id.clone(),
            event_type: event.event_type.into_str().to_owned(),
            subject: queue.subject(),
            stream: queue.stream.clone(),
            body: event.body.clone(),
            created_ms: now_ms,
        };
        let failure = FailedDelivery {
            event: &record,
            tries,
            error: &cause,
            now_ms,
            next_ms,
            is_gone: error.is_gone(),
        };
        if let Err(error) = self.deps.webhook_store().note_failure(&failure).await {
            log::error("delivery_unnoted", &[("cause", &error.to_string())]);
            next_ms = next_ms.or(Some(now_ms + RETRY_MS));
        }
        let outcome = if next_ms.is_some() { EventOutcome::Failed } else { EventOutcome::Dead };
        self.deps.count_events(outcome, 1);
        // A dead event stays as it is when the database does not have it.
        let tries = if outcome == EventOutcome::Failed { tries.min(9) } else { tries };
        self.storage.end_attempt(queue, next_ms.map(|due_ms| (tries, due_ms)), now_ms)
    }
}
