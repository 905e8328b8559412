//! The keys of a key server, kept for all requests of an isolate: fetched when first needed, when
//! they have become old, and when a token names a key that is not among them.
//!
//! A Worker's request cannot wait for what another request has begun, so while one fetches, those
//! that need the answer look for it in small steps of their own.

use core::pin::pin;
use std::{cell::RefCell, rc::Rc};

use futures_util::future::{Either, select};

use super::{
    KeyServer, KeyServerFault, KeyServerUrl,
    claims::Verified,
    jwk,
    keys::{self, NamedKey},
    token::Presented,
};
use crate::{app::Ports, log};

/// A key that was withdrawn goes on working here for so long at most while its server answers.
const FRESH_MS: u64 = 5 * 60_000;
/// Anybody can make up names of keys: they cause one fetch in this time.
const RETRY_MS: u64 = 60_000;
/// Without any keys nobody gets in, so a server that was down is asked again sooner.
const LOAD_RETRY_MS: u64 = 5_000;
/// An upload waits no longer than this for keys; a server that works answers in tenths of it.
const DEADLINE_MS: u64 = 2_500;
/// A caller who goes away takes the fetch along unnoticed; after this it counts as over.
const ABANDONED_MS: u64 = DEADLINE_MS + 500;
/// How often a request looks whether the fetch of another has ended.
const POLL_MS: u64 = 50;

/// The keys of a key server.
#[derive(Default)]
pub struct RemoteKeys {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    loaded: Option<Rc<Loaded>>,
    /// How often keys were loaded, by which a request tells whether they were since it came.
    loads: u64,
    /// When the fetch began that has not ended yet.
    in_flight_ms: Option<u64>,
    /// When any fetch last began.
    tried_ms: Option<u64>,
    /// When a fetch for a name that was not known last began.
    missed_ms: Option<u64>,
}

struct Loaded {
    keys: Vec<NamedKey>,
    at_ms: u64,
}

/// Why the key server should be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// No keys have ever been loaded.
    Load,
    /// The token names a key that is not among them, or none of them signed it.
    Missing,
    /// They are old.
    Refresh,
}

/// What a request that would ask the key server may do.
enum Turn {
    Fetch,
    /// Another request is fetching.
    InFlight,
    /// It was asked a short while ago.
    NotDue,
}

/// There have never been keys to tell a good token from a bad one.
#[derive(Debug)]
pub(super) struct NeverLoaded;

impl RemoteKeys {
    /// What the keys make of a token; nothing when none of them signed it.
    pub(super) async fn verify<P: Ports>(
        &self,
        ports: &P,
        url: &KeyServerUrl,
        token: &Presented<'_>,
    ) -> Result<Option<Verified>, NeverLoaded> {
        let loads_before = self.loads();
        let loaded = self.loaded();
        let verified = loaded.as_ref().and_then(|loaded| keys::verify(&loaded.keys, token));
        let need = match &loaded {
            None => Need::Load,
            Some(loaded) if verified.is_none() && !loaded.names(token) => Need::Missing,
            Some(loaded) if loaded.is_old(ports.now_ms()) => Need::Refresh,
            Some(_) => return Ok(verified),
        };
        let turn = self.state.borrow_mut().turn(need, ports.now_ms());
        match turn {
            Turn::Fetch => self.fetch(ports, url).await,
            Turn::InFlight if need != Need::Refresh => self.wait(ports).await,
            Turn::InFlight | Turn::NotDue => {}
        }
        if self.loads() > loads_before {
            return Ok(self.loaded().and_then(|loaded| keys::verify(&loaded.keys, token)));
        }
        if loaded.is_some() { Ok(verified) } else { Err(NeverLoaded) }
    }

    /// Whether a token uses the name of one of these keys as that of a shared secret.
    pub(super) fn are_confused_by(&self, token: &Presented<'_>) -> bool {
        self.loaded().is_some_and(|loaded| keys::are_confused_by(&loaded.keys, token))
    }

    fn loaded(&self) -> Option<Rc<Loaded>> {
        self.state.borrow().loaded.clone()
    }

    fn loads(&self) -> u64 {
        self.state.borrow().loads
    }

    /// Waits until the fetch of another request has ended, and no longer than one may take.
    async fn wait<P: Ports>(&self, ports: &P) {
        for _ in 0..DEADLINE_MS / POLL_MS {
            ports.sleep(POLL_MS).await;
            if self.state.borrow().in_flight_ms.is_none() {
                return;
            }
        }
    }

    /// Asks the key server. When that fails, the keys that are there go on working.
    async fn fetch<P: Ports>(&self, ports: &P, url: &KeyServerUrl) {
        let fetch = pin!(ports.key_server().fetch(url.as_str()));
        let deadline = pin!(ports.sleep(DEADLINE_MS));
        let answer = match select(fetch, deadline).await {
            Either::Left((answer, _)) => answer,
            Either::Right(((), _)) => Err(KeyServerFault::Late),
        };
        let mut state = self.state.borrow_mut();
        state.in_flight_ms = None;
        match answer.and_then(|document| usable_keys(&document)) {
            Ok(keys) => {
                state.loaded = Some(Rc::new(Loaded { keys, at_ms: ports.now_ms() }));
                state.loads += 1;
            }
            Err(fault) => log::error("key_server_failed", &[("cause", &format!("{fault:?}"))]),
        }
    }
}

/// Those keys of a set that can be used; a platform may publish others for other ends.
fn usable_keys(document: &str) -> Result<Vec<NamedKey>, KeyServerFault> {
    let keys = jwk::read_key_set(document).map_err(|_| KeyServerFault::NotAKeySet)?;
    Ok(keys.into_iter().filter_map(Result::ok).collect())
}

impl State {
    /// Whether this request shall ask the key server; when it shall, it has begun to.
    fn turn(&mut self, need: Need, now_ms: u64) -> Turn {
        let since = |moment: Option<u64>| moment.map(|moment| now_ms.saturating_sub(moment));
        if since(self.in_flight_ms).is_some_and(|passed_ms| passed_ms < ABANDONED_MS) {
            return Turn::InFlight;
        }
        let (last_ms, pause_ms) = match need {
            Need::Load => (self.tried_ms, LOAD_RETRY_MS),
            Need::Missing => (self.missed_ms, RETRY_MS),
            Need::Refresh => (self.tried_ms, RETRY_MS),
        };
        if since(last_ms).is_some_and(|passed_ms| passed_ms < pause_ms) {
            return Turn::NotDue;
        }
        self.in_flight_ms = Some(now_ms);
        self.tried_ms = Some(now_ms);
        if need == Need::Missing {
            self.missed_ms = Some(now_ms);
        }
        Turn::Fetch
    }
}

impl Loaded {
    fn is_old(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) >= FRESH_MS
    }

    /// Whether the key that the token names is here, so that no other could have signed it.
    fn names(&self, token: &Presented<'_>) -> bool {
        token
            .key_id()
            .is_some_and(|wanted| self.keys.iter().any(|key| key.id.as_deref() == Some(wanted)))
    }
}
