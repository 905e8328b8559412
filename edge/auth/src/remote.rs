//! The key sets of key servers, cached per isolate: fetched when first needed, when stale, and when a token
//! names an unknown key.
//!
//! A request of a Worker cannot await a future of another request. While one request fetches, the others
//! poll until it has finished.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use edge_types::{Clock, log, with_timeout};

use jwt_compact::Claims;

use crate::{
    KeyServer, KeyServerError, KeyServerRequest, KeyServerUrl, claims::verified_claims,
    issuer::ClaimMap, jwk, keys::NamedKey, token::PresentedToken,
};

/// Keys are fetched again after this time, so a withdrawn key works for at most so long.
const FRESH_MS: u64 = 5 * 60_000;
/// Anybody can invent names of keys, so unknown names cause one fetch in this time.
const RETRY_MS: u64 = 60_000;
/// Without any keys nobody can log in, so a failed first fetch is repeated sooner.
const LOAD_RETRY_MS: u64 = 5_000;
/// How long a request waits for keys; a key server usually answers within a tenth of it.
const DEADLINE_MS: u64 = 2_500;
/// A fetch whose request was cancelled never reports its end; after this time it counts as finished.
const ABANDONED_MS: u64 = DEADLINE_MS + 500;
const POLL_MS: u64 = 50;

/// The cached keys of all key servers, by their URLs.
#[derive(Default)]
pub struct RemoteKeys {
    servers: RefCell<BTreeMap<String, Rc<RemoteKeySet>>>,
}

impl RemoteKeys {
    /// Only configured URLs are asked for, so there are few.
    pub(crate) fn of(&self, url: &KeyServerUrl) -> Rc<RemoteKeySet> {
        let mut servers = self.servers.borrow_mut();
        Rc::clone(servers.entry(url.as_str().to_owned()).or_default())
    }
}

/// The cached keys of one key server.
#[derive(Default)]
pub(crate) struct RemoteKeySet {
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    loaded: Option<Rc<Loaded>>,
    /// How many fetches succeeded, so that a request can tell whether one did since it began.
    loads: u64,
    /// The start of the fetch that has not finished.
    in_flight_ms: Option<u64>,
    last_fetch_ms: Option<u64>,
    /// The start of the last fetch for an unknown name.
    last_miss_ms: Option<u64>,
}

struct Loaded {
    keys: Vec<NamedKey>,
    at_ms: u64,
}

/// Why the key server should be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FetchReason {
    /// No keys have ever been loaded.
    Load,
    /// The token names an unknown key, or names none and no key signed it.
    Missing,
    /// The keys are stale.
    Refresh,
}

enum FetchDecision {
    Fetch,
    /// Another request is fetching.
    InFlight,
    /// The last fetch is too recent.
    NotDue,
}

/// There have never been any keys, so a valid token cannot be distinguished from an invalid one.
#[derive(Debug)]
pub(crate) struct NeverLoaded;

impl RemoteKeySet {
    /// The claims of a token that one of the keys signed.
    pub(crate) async fn verify(
        &self,
        clock: &impl Clock,
        key_server: &impl KeyServer,
        url: &KeyServerUrl,
        token: &PresentedToken<'_>,
    ) -> Result<Option<Claims<ClaimMap>>, NeverLoaded> {
        let loads_before = self.loads();
        let loaded = self.loaded();
        let verified = loaded.as_ref().and_then(|loaded| verified_claims(&loaded.keys, token));
        let reason = match &loaded {
            None => FetchReason::Load,
            Some(loaded) if verified.is_none() && !loaded.names(token) => FetchReason::Missing,
            Some(loaded) if loaded.is_stale(clock.now_ms()) => FetchReason::Refresh,
            Some(_) => return Ok(verified),
        };
        let decision = self.state.borrow_mut().decide(reason, clock.now_ms());
        match decision {
            FetchDecision::Fetch => self.fetch(clock, key_server, url).await,
            FetchDecision::InFlight if reason != FetchReason::Refresh => self.wait(clock).await,
            FetchDecision::InFlight | FetchDecision::NotDue => {}
        }
        if self.loads() > loads_before {
            return Ok(self.loaded().and_then(|loaded| verified_claims(&loaded.keys, token)));
        }
        if loaded.is_some() { Ok(verified) } else { Err(NeverLoaded) }
    }

    /// Whether a token names one of these keys as that of a shared secret.
    pub(crate) fn are_confused_by(&self, token: &PresentedToken<'_>) -> bool {
        self.loaded().is_some_and(|loaded| token.confuses_one_of(&loaded.keys))
    }

    fn loaded(&self) -> Option<Rc<Loaded>> {
        self.state.borrow().loaded.clone()
    }

    fn loads(&self) -> u64 {
        self.state.borrow().loads
    }

    /// Waits for the fetch of another request, at most as long as a fetch may take.
    async fn wait(&self, clock: &impl Clock) {
        for _ in 0..DEADLINE_MS / POLL_MS {
            clock.sleep(POLL_MS).await;
            if self.state.borrow().in_flight_ms.is_none() {
                return;
            }
        }
    }

    /// When the key server fails, the cached keys stay valid.
    async fn fetch(&self, clock: &impl Clock, key_server: &impl KeyServer, url: &KeyServerUrl) {
        let request = KeyServerRequest { url: url.as_str(), authorization: None, form: None };
        let fetching = key_server.send(&request);
        let document = with_timeout(clock, DEADLINE_MS, fetching).await;
        let document = document.unwrap_or(Err(KeyServerError::Timeout));
        let mut state = self.state.borrow_mut();
        state.in_flight_ms = None;
        match document.and_then(|document| usable_keys(&document)) {
            Ok(keys) => {
                state.loaded = Some(Rc::new(Loaded { keys, at_ms: clock.now_ms() }));
                state.loads += 1;
            }
            Err(error) => log::error("key_server_failed", &[("cause", &error.to_string())]),
        }
    }
}

/// The keys of a set that can be used; a platform may publish others for other purposes.
fn usable_keys(document: &str) -> Result<Vec<NamedKey>, KeyServerError> {
    let keys = jwk::read_key_set(document).map_err(|_| KeyServerError::NotAKeySet)?;
    Ok(keys.into_iter().filter_map(Result::ok).collect())
}

impl State {
    /// Whether this request asks the key server. If so, its fetch is recorded as in flight.
    fn decide(&mut self, reason: FetchReason, now_ms: u64) -> FetchDecision {
        let since = |moment: Option<u64>| moment.map(|moment| now_ms.saturating_sub(moment));
        if since(self.in_flight_ms).is_some_and(|passed_ms| passed_ms < ABANDONED_MS) {
            return FetchDecision::InFlight;
        }
        let (last_ms, pause_ms) = match reason {
            FetchReason::Load => (self.last_fetch_ms, LOAD_RETRY_MS),
            FetchReason::Missing => (self.last_miss_ms, RETRY_MS),
            FetchReason::Refresh => (self.last_fetch_ms, RETRY_MS),
        };
        if since(last_ms).is_some_and(|passed_ms| passed_ms < pause_ms) {
            return FetchDecision::NotDue;
        }
        self.in_flight_ms = Some(now_ms);
        self.last_fetch_ms = Some(now_ms);
        if reason == FetchReason::Missing {
            self.last_miss_ms = Some(now_ms);
        }
        FetchDecision::Fetch
    }
}

impl Loaded {
    fn is_stale(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.at_ms) >= FRESH_MS
    }

    /// Whether the key that the token names is here, so that no other can have signed it.
    fn names(&self, token: &PresentedToken<'_>) -> bool {
        token
            .key_id()
            .is_some_and(|wanted| self.keys.iter().any(|key| key.id.as_deref() == Some(wanted)))
    }
}
