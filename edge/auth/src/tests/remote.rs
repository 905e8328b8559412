//! Keys from a key server: one fetch for many, little asked for unknown names, nothing lost while it is
//! down, nobody kept waiting.

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

    /// How long it takes to answer.
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
fn keys_are_fetched_once_and_kept() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.asked(), 0, "not before somebody needs them");
    for _ in 0..100 {
        assert_eq!(tester.user(&lasting(&key, "k0")), "123");
        tester.later(1_000);
    }
    assert_eq!(*tester.key_server.asked.borrow(), [KEY_SERVER]);
}

#[test]
fn only_tokens_that_a_public_key_could_verify_are_worth_a_question() {
    let tester = tester();
    let head = json!({"alg": "HS256", "kid": "unknown"}).to_string();
    let unknown_key = Signer::Hs256(jwt_compact::alg::Hs256Key::new("x".repeat(32)));
    assert_eq!(tester.refusal(&unknown_key.token(&head, &claims(&json!({})))), Code::TokenInvalid);
    assert_eq!(tester.refusal("eyJhbGciOiJub25lIn0.e30."), Code::TokenInvalid);
    assert_eq!(tester.refusal("garbage"), Code::TokenInvalid);
    assert_eq!(tester.asked(), 0);
}

#[test]
fn many_at_a_cold_start_wait_for_one_fetch() {
    let (tester, key) = (tester(), Signer::p256());
    tester.publish(&[&key]);
    tester.answers_after(400);
    let token = lasting(&key, "k0");
    let outcomes = tester.clock.run_all((0..200).map(|_| tester.shown(&token)));
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(tester.asked(), 1);
}

#[test]
fn a_thousand_made_up_names_in_a_minute_cost_one_fetch() {
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
    assert_eq!(tester.asked(), 2, "the first load, and one for all the names");
    assert_eq!(tester.user(&lasting(&key, "k0")), "123", "others are served meanwhile");
    tester.later(MINUTE_MS);
    assert_eq!(tester.refusal(&lasting(&unknown_key, "made-up")), Code::TokenInvalid);
    assert_eq!(tester.asked(), 3, "the next minute has one more");
}

#[test]
fn a_thousand_made_up_names_at_once_cost_one_fetch() {
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
fn a_new_key_is_taken_after_one_fetch_and_a_withdrawn_one_no_longer() {
    let (tester, old, new) = (tester(), Signer::ed25519(), Signer::p256());
    tester.publish(&[&old]);
    assert_eq!(tester.user(&lasting(&old, "k0")), "123");
    tester.publish(&[&old, &new]);
    tester.later(1_000);
    assert_eq!(tester.user(&lasting(&new, "k1")), "123");
    assert_eq!(tester.asked(), 2);
    tester.publish(&[&new]);
    tester.later(5 * MINUTE_MS);
    assert_eq!(tester.refusal(&lasting(&old, "k0")), Code::TokenInvalid, "five minutes at most");
    assert_eq!(tester.asked(), 3);
}

#[test]
fn a_token_that_names_no_key_is_tried_with_all_and_may_be_of_a_new_one() {
    let (tester, old, new) = (tester(), Signer::ed25519(), Signer::ed25519());
    let nameless = |key: &Signer| key.token(r#"{"alg":"EdDSA"}"#, &claims(&json!({})));
    tester.publish(&[&Signer::p256(), &old]);
    assert_eq!(tester.user(&nameless(&old)), "123");
    tester.publish(&[&old, &new]);
    assert_eq!(tester.user(&nameless(&new)), "123");
    assert_eq!(tester.asked(), 2);
}

#[test]
fn a_bad_signature_under_a_known_name_asks_nobody() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123");
    for _ in 0..10 {
        assert_eq!(tester.refusal(&lasting(&Signer::ed25519(), "k0")), Code::TokenInvalid);
    }
    assert_eq!(tester.asked(), 1);
}

#[test]
fn known_keys_go_on_while_the_server_is_down_and_unknown_ones_are_refused() {
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
    assert_eq!(tester.user(&lasting(&new, "k1")), "123", "it is noticed when it is back");
}

#[test]
fn without_any_keys_the_caller_is_asked_to_come_back() {
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
        assert_eq!(tester.asked(), asked + 1, "not asked again at once");
        tester.later(1_000);
    }
    for document in ["", "<html>", "[]", r#"{"keys":[],"keys":[]}"#] {
        *tester.key_server.answer.borrow_mut() = Ok(document.to_owned());
        assert_eq!(tester.show(&lasting(&key, "k0")), Err(busy()), "{document}");
        tester.later(5_000);
    }
    tester.publish(&[&key]);
    assert_eq!(tester.user(&lasting(&key, "k0")), "123", "and is served when the keys are there");
}

#[test]
fn a_server_that_never_answers_keeps_nobody_waiting() {
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
    assert!(tester.measure_ms(&token) <= 3_000, "the one who refreshes");
    assert_eq!(tester.measure_ms(&token), 0, "the next one");
    assert_eq!(tester.user(&token), "123");
}

#[test]
fn who_waits_for_the_fetch_of_another_does_not_wait_twice() {
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
    assert_eq!(tester.asked(), 2, "the load and the refresh");
}

#[test]
fn who_goes_away_while_fetching_does_not_keep_the_others_out() {
    let (tester, key) = (tester(), Signer::ed25519());
    tester.publish(&[&key]);
    tester.answers_after(100);
    let token = lasting(&key, "k0");
    // Begun and never carried on, as the platform does it with a caller who hangs up.
    let mut leaving = Box::pin(tester.shown(&token));
    let mut context = core::task::Context::from_waker(futures_util::task::noop_waker_ref());
    assert!(leaving.as_mut().poll(&mut context).is_pending());
    core::mem::forget(leaving);

    assert_eq!(tester.show(&token), Err(busy()), "it waited in vain, and not for ever");
    tester.later(5_000);
    assert_eq!(tester.user(&token), "123");
}

#[test]
fn an_empty_key_set_is_an_answer() {
    let (tester, key) = (tester(), Signer::ed25519());
    *tester.key_server.answer.borrow_mut() = Ok(key_set(&[]));
    assert_eq!(tester.refusal(&lasting(&key, "k0")), Code::TokenInvalid);
}

#[test]
fn the_server_is_asked_again_when_the_pause_is_over_and_not_before() {
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
fn a_fetch_that_nobody_carries_on_counts_as_over_after_three_seconds() {
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
