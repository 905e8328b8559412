//! Keys from a key server: concurrent requests share a fetch, unknown key ids cause few fetches, cached keys stay valid while
//! the server is down, and waiting is bounded.

use edge_types::{Clock, Problem};
use image_rules::Code;
use serde_json::json;

use super::{
    TokenTester,
    keyring::{Signer, claims, key_set},
};
use crate::KeyServerError;

const KEY_SERVER: &str = "https://login.example/jwks.json";
const MINUTE_MS: u64 = 60_000;

fn tester() -> TokenTester {
    TokenTester::with_key_server(KEY_SERVER, &[])
}

impl TokenTester {
    fn publish(&self, keys: &[&Signer]) {
        let keys = keys.iter().enumerate().map(|(at, key)| key.named_jwk(&format!("k{at}")));
        let keys: Vec<_> = keys.collect();
        *self.key_server.answer.borrow_mut() = Ok(json!({ "keys": keys }).to_string());
    }

    fn fails(&self, error: KeyServerError) {
        *self.key_server.answer.borrow_mut() = Err(error);
    }

    fn answers_after(&self, delay_ms: u64) {
        self.key_server.delay_ms.set(delay_ms);
    }

    fn asked(&self) -> usize {
        self.key_server.asked.borrow().len()
    }

    fn later(&self, ms: u64) {
        self.clock.advance(ms);
    }

    /// The time until a token is accepted or rejected.
    fn measure_ms(&self, token: &str) -> u64 {
        let began_ms = self.clock.now_ms();
        let _ = self.show(token);
        self.clock.now_ms() - began_ms
    }
}

/// A token that outlives the test.
fn lasting(key: &Signer, kid: &str) -> String {
    key.token(&key.head(kid), &claims(&json!({"exp": 9_999_999_999_u64})))
}

fn down() -> KeyServerError {
    KeyServerError::Unreachable("refused".to_owned())
}

fn busy() -> Problem {
    Problem::retry(Code::Busy, 5)
}

#[test]
fn keys_are_fetched_once_and_cached() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.asked(), 0, "no fetch before the first token");
    for _ in 0..100 {
        assert_eq!(tester.user(&lasting(&key, "k0")), "123");
        tester.later(1_000);
    }
    assert_eq!(*tester.key_server.asked.borrow(), [KEY_SERVER]);
}

#[test]
fn only_tokens_with_a_public_key_algorithm_cause_a_fetch() {
    let tester = tester();
    let head = json!({"alg": "HS256", "kid": "unknown"}).to_string();
    let unknown_key = Signer::Hs256(jwt_compact::alg::Hs256Key::new("x".repeat(32)));
    assert_eq!(tester.refusal(&unknown_key.token(&head, &claims(&json!({})))), Code::TokenInvalid);
    assert_eq!(tester.refusal("eyJhbGciOiJub25lIn0.e30."), Code::TokenInvalid);
    assert_eq!(tester.refusal("garbage"), Code::TokenInvalid);
    assert_eq!(tester.asked(), 0);
}

#[test]
fn concurrent_requests_at_a_cold_start_share_one_fetch() {
    let (tester, key) = (tester(), Signer::p256());
    tester.publish(&[&key]);
    tester.answers_after(400);
    let token = lasting(&key, "k0");
    let outcomes = tester.clock.run_all((0..200).map(|_| tester.shown(&token)));
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(tester.asked(), 1);
}

#[test]
fn a_thousand_unknown_kids_in_a_minute_cause_one_fetch() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123");
    tester.later(10_000);
    let unknown_key = Signer::ed25519();
    for number in 0..1_000 {
        assert_eq!(
            tester.refusal(&lasting(&unknown_key, &format!("made-up-{number}"))),
            Code::TokenInvalid
        );
        tester.later(59);
    }
    assert_eq!(tester.asked(), 2, "the first fetch, and one for all unknown kids");
    assert_eq!(tester.user(&lasting(&key, "k0")), "123", "known keys stay valid meanwhile");
    tester.later(MINUTE_MS);
    assert_eq!(tester.refusal(&lasting(&unknown_key, "made-up")), Code::TokenInvalid);
    assert_eq!(tester.asked(), 3, "the next minute has one more");
}

#[test]
fn a_thousand_concurrent_unknown_kids_cause_one_fetch() {
    let (tester, unknown_key) = (tester(), Signer::ed25519());
    tester.answers_after(300);
    let tokens: Vec<_> =
        (0..1_000).map(|number| lasting(&unknown_key, &format!("n{number}"))).collect();
    let all = tokens.iter().map(|token| tester.shown(token));
    let outcomes = tester.clock.run_all(all);
    assert!(outcomes.iter().all(|outcome| *outcome == Err(Problem::new(Code::TokenInvalid))));
    assert_eq!(tester.asked(), 1);
}

#[test]
fn a_new_key_is_accepted_after_one_fetch_and_a_withdrawn_one_rejected() {
    let (tester, old, new) = (tester(), Signer::ed25519(), Signer::p256());
    tester.publish(&[&old]);
    assert_eq!(tester.user(&lasting(&old, "k0")), "123");
    tester.publish(&[&old, &new]);
    tester.later(1_000);
    assert_eq!(tester.user(&lasting(&new, "k1")), "123");
    assert_eq!(tester.asked(), 2);
    tester.publish(&[&new]);
    tester.later(5 * MINUTE_MS);
    assert_eq!(
        tester.refusal(&lasting(&old, "k0")),
        Code::TokenInvalid,
        "a withdrawn key works for at most five minutes"
    );
    assert_eq!(tester.asked(), 3);
}

#[test]
fn a_token_without_a_kid_is_checked_with_all_keys_and_may_cause_a_fetch() {
    let (tester, old, new) = (tester(), Signer::ed25519(), Signer::ed25519());
    let nameless = |key: &Signer| key.token(r#"{"alg":"EdDSA"}"#, &claims(&json!({})));
    tester.publish(&[&Signer::p256(), &old]);
    assert_eq!(tester.user(&nameless(&old)), "123");
    tester.publish(&[&old, &new]);
    assert_eq!(tester.user(&nameless(&new)), "123");
    assert_eq!(tester.asked(), 2);
}

#[test]
fn a_bad_signature_with_a_known_kid_causes_no_fetch() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123");
    for _ in 0..10 {
        assert_eq!(tester.refusal(&lasting(&Signer::ed25519(), "k0")), Code::TokenInvalid);
    }
    assert_eq!(tester.asked(), 1);
}

#[test]
fn known_keys_stay_valid_while_the_server_is_down_and_unknown_ones_are_rejected() {
    let (tester, key, new) = (tester(), Signer::ed25519(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123");
    tester.fails(down());
    let day_of_minutes = 24 * 60;
    for _ in 0..day_of_minutes {
        tester.later(MINUTE_MS);
        assert_eq!(tester.user(&lasting(&key, "k0")), "123");
        assert_eq!(tester.refusal(&lasting(&new, "k1")), Code::TokenInvalid);
    }
    assert!(tester.asked() <= 2 * day_of_minutes, "{}", tester.asked());
    tester.publish(&[&key, &new]);
    tester.later(MINUTE_MS);
    assert_eq!(
        tester.user(&lasting(&new, "k1")),
        "123",
        "new keys are fetched once the server is up"
    );
}

#[test]
fn without_any_keys_the_response_is_busy() {
    let (tester, key) = (tester(), Signer::ed25519());
    for error in [
        down(),
        KeyServerError::Status(302),
        KeyServerError::Status(500),
        KeyServerError::TooLarge,
        KeyServerError::NotText,
    ] {
        tester.fails(error);
        let asked = tester.asked();
        for _ in 0..5 {
            assert_eq!(tester.show(&lasting(&key, "k0")), Err(busy()));
            tester.later(900);
        }
        assert_eq!(tester.asked(), asked + 1, "no fetch during the pause");
        tester.later(1_000);
    }
    for document in ["", "<html>", "[]", r#"{"keys":[],"keys":[]}"#] {
        *tester.key_server.answer.borrow_mut() = Ok(document.to_owned());
        assert_eq!(tester.show(&lasting(&key, "k0")), Err(busy()), "{document}");
        tester.later(5_000);
    }
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123", "accepted once the keys are loaded");
}

#[test]
fn a_server_that_never_answers_delays_requests_by_three_seconds_at_most() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    tester.answers_after(u64::MAX);
    let token = lasting(&key, "k0");
    let began_ms = tester.clock.now_ms();
    let all = (0..100).map(|_| tester.shown(&token));
    let outcomes = tester.clock.run_all(all);
    assert!(outcomes.iter().all(|outcome| *outcome == Err(busy())));
    let waited_ms = tester.clock.now_ms() - began_ms;
    assert!((2_000..=3_000).contains(&waited_ms), "{waited_ms}");
    assert_eq!(tester.asked(), 1);

    tester.answers_after(0);
    tester.later(5_000);
    assert_eq!(tester.user(&token), "123");
    tester.answers_after(u64::MAX);
    tester.later(5 * MINUTE_MS);
    assert!(tester.measure_ms(&token) <= 3_000, "the request that fetches");
    assert_eq!(tester.measure_ms(&token), 0, "the next request");
    assert_eq!(tester.user(&token), "123");
}

#[test]
fn waiting_for_the_fetch_of_another_request_causes_no_second_wait() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    let known = lasting(&key, "k0");
    assert_eq!(tester.user(&known), "123");
    tester.answers_after(u64::MAX);
    tester.later(5 * MINUTE_MS);
    let unknown = lasting(&Signer::ed25519(), "k1");
    let began_ms = tester.clock.now_ms();
    let both = [&known, &unknown].into_iter().map(|token| tester.shown(token));
    let outcomes = tester.clock.run_all(both);
    assert!(outcomes[0].is_ok());
    assert_eq!(outcomes[1], Err(Problem::new(Code::TokenInvalid)));
    assert!(tester.clock.now_ms() - began_ms <= 3_000);
    assert_eq!(tester.asked(), 2, "the first fetch and the refresh");
}

#[test]
fn a_fetch_whose_request_was_cancelled_does_not_block_others() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    tester.answers_after(100);
    let token = lasting(&key, "k0");
    // Polled once and never again, as the platform does with a request whose client disconnects.
    let mut leaving = Box::pin(tester.shown(&token));
    let mut context = core::task::Context::from_waker(futures_util::task::noop_waker_ref());
    assert!(leaving.as_mut().poll(&mut context).is_pending());
    core::mem::forget(leaving);

    assert_eq!(tester.show(&token), Err(busy()), "the wait for the abandoned fetch is bounded");
    tester.later(5_000);
    assert_eq!(tester.user(&token), "123");
}

#[test]
fn an_empty_key_set_is_valid() {
    let (tester, key) = (tester(), Signer::ed25519());
    *tester.key_server.answer.borrow_mut() = Ok(key_set(&[]));
    assert_eq!(tester.refusal(&lasting(&key, "k0")), Code::TokenInvalid);
}

#[test]
fn the_next_fetch_starts_after_the_pause() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.fails(down());
    for (pause_ms, asked) in [(0, 1), (4_999, 1), (1, 2)] {
        tester.later(pause_ms);
        assert_eq!(tester.show(&lasting(&key, "k0")), Err(busy()));
        assert_eq!(tester.asked(), asked, "without any keys, after {pause_ms} ms");
    }
    tester.publish(&[&key]);
    tester.later(5_000);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123");
    for (pause_ms, asked) in [(0, 4), (MINUTE_MS - 1, 4), (1, 5)] {
        tester.later(pause_ms);
        assert_eq!(tester.refusal(&lasting(&key, "made-up")), Code::TokenInvalid);
        assert_eq!(tester.asked(), asked, "for an unknown name, after {pause_ms} ms");
    }
}

#[test]
fn an_abandoned_fetch_counts_as_finished_after_three_seconds() {
    for (passed_ms, asked) in [(2_999, 2), (3_000, 3)] {
        let (tester, key, new) = (tester(), Signer::ed25519(), Signer::ed25519());
        tester.publish(&[&key]);
        let token = lasting(&key, "k0");
        assert_eq!(tester.user(&token), "123");
        tester.later(5 * MINUTE_MS);
        tester.answers_after(100);
        let mut leaving = Box::pin(tester.shown(&token));
        let mut context = core::task::Context::from_waker(futures_util::task::noop_waker_ref());
        assert!(leaving.as_mut().poll(&mut context).is_pending());
        core::mem::forget(leaving);

        tester.answers_after(0);
        tester.publish(&[&key, &new]);
        tester.later(passed_ms);
        assert_eq!(tester.show(&lasting(&new, "k1")).is_ok(), asked == 3, "after {passed_ms} ms");
        assert_eq!(tester.asked(), asked);
    }
}
