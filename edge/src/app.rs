//! What every request needs: the configuration, and the ports to the world outside.
//!
//! Time, randomness and I/O enter here as arguments, so that the whole story of a request runs
//! natively in tests with in-memory ports and a fixed clock.

use std::{
    cell::{Cell, OnceCell},
    pin::pin,
    rc::Rc,
};

use futures_util::future::{Either, select};

use crate::{
    accounts::Accounts,
    alert::Messenger,
    auth::{KeyServer, RemoteKeys},
    config::Config,
    delivery::Copies,
    ledger::{ClientIp, Ledger},
    log::{self, LineLimiter},
    memory::MemoryBudget,
    places::Places,
    queue::Queues,
    registry::{Annals, Catalogue, Event, Meters, Registry},
    stats::Tallies,
    storage::ObjectStore,
    turns::Turns,
};

/// The world outside, as far as the domain may see it.
pub trait Ports {
    /// Where the bytes go.
    type Store: ObjectStore;
    /// Where copies of pictures lie near the caller.
    type Copies: Copies<Content = <Self::Store as ObjectStore>::Content>;
    /// Where the rows go.
    type Registry: Catalogue + Annals + Meters;
    /// Where people who signed up here are kept.
    type Accounts: Accounts;
    /// The flood limit of a client IP.
    type Gate: Gate;
    /// Who keeps the accounts of users and addresses.
    type Ledger: Ledger;
    /// Who publishes the keys of a platform.
    type KeyServer: KeyServer;
    /// Who brings messages to the team.
    type Messenger: Messenger;

    /// Where the bytes go.
    fn store(&self) -> &Self::Store;
    /// Where copies of pictures lie near the caller.
    fn copies(&self) -> &Self::Copies;
    /// Where the rows go.
    fn registry(&self) -> &Self::Registry;
    /// Where people who signed up here are kept.
    fn accounts(&self) -> &Self::Accounts;
    /// The flood limit of a client IP.
    fn gate(&self) -> &Self::Gate;
    /// Who keeps the accounts of users and addresses.
    fn ledger(&self) -> &Self::Ledger;
    /// Who publishes the keys of a platform.
    fn key_server(&self) -> &Self::KeyServer;
    /// Who brings messages to the team.
    fn messenger(&self) -> &Self::Messenger;
    /// What image URLs start with, for work that no request waits for.
    fn public_base_url(&self) -> Option<&str>;
    /// Milliseconds since 1970.
    fn now_ms(&self) -> u64;
    /// Sixteen bytes that nobody can guess.
    fn random(&self) -> [u8; 16];
    /// The SHA-256 of these bytes.
    fn sha256(&self, bytes: &[u8]) -> impl Future<Output = [u8; 32]>;
    /// Bytes of memory that have been taken from the platform and are never given back.
    fn memory_bytes(&self) -> u64;
    /// What is deployed here, where the platform tells.
    fn deployment(&self) -> Option<Deployment>;
    /// Lets others work for so many milliseconds.
    fn sleep(&self, ms: u64) -> impl Future<Output = ()>;
}

/// What a future comes to when it is there in time; what is dropped ends what it had begun.
pub async fn in_time<P: Ports, T>(
    ports: &P,
    deadline_ms: u64,
    future: impl Future<Output = T>,
) -> Option<T> {
    match select(pin!(future), pin!(ports.sleep(deadline_ms))).await {
        Either::Left((outcome, _)) => Some(outcome),
        Either::Right(_) => None,
    }
}

/// The flood limit of a client IP.
pub trait Gate {
    /// Whether one more request of this client IP may pass now.
    fn admits(&self, client_ip: &ClientIp) -> impl Future<Output = Result<bool, GateFault>>;
}

/// The gate could not be asked.
#[derive(Debug)]
pub struct GateFault(pub String);

/// What the platform tells of the code that serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The platform's name of this version.
    pub id: String,
    /// What whoever deployed it called it; may be empty.
    pub tag: String,
    /// Since when it is there, in RFC 3339.
    pub since: String,
}

/// What the requests of one isolate share beyond the configuration.
#[derive(Default)]
pub struct Isolate {
    /// The memory in use.
    pub memory: MemoryBudget,
    /// The uploads at work.
    pub places: Rc<Places>,
    /// Whose turn it is to take long.
    pub turns: Rc<Turns>,
    /// Who waits for memory.
    pub queues: Queues,
    /// The keys that were fetched from the key server.
    pub remote_keys: RemoteKeys,
    /// What was counted and not yet written.
    pub tallies: Tallies,
    /// The lines that were logged about refusals.
    pub lines: LineLimiter,
    /// Whether the deployment has its id, or is too old to get one by itself.
    pub is_binding_decided: Cell<bool>,
    name: OnceCell<String>,
}

impl Isolate {
    /// What tells it from other isolates, made of these bytes when it is first asked for.
    pub fn name(&self, random: [u8; 16]) -> String {
        let made = || uuid::Builder::from_random_bytes(random).into_uuid().to_string();
        self.name.get_or_init(made).clone()
    }
}

/// The configuration, what is shared, and the ports together.
pub struct App<P> {
    /// What the variables say.
    pub config: Rc<Config>,
    /// What the requests of this isolate share.
    pub isolate: Rc<Isolate>,
    /// The world outside.
    pub ports: P,
}

impl<P: Ports> App<P> {
    /// Puts an event on record. What it tells of stands in any case, so one that cannot be written
    /// is logged.
    pub async fn record(&self, event: Event) {
        if let Err(fault) = self.ports.registry().event(&event).await {
            log::error("event_lost", &[("cause", &fault.0)]);
        }
    }
}
