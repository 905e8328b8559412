//! Proof of work: a signed challenge, and the check of its solution.
//!
//! Nothing is stored when a challenge is issued. Its text has the purpose, the difficulty, the expiry and random bytes;
//! the MAC after them also covers the network of the caller. The MAC is the salt of 16 puzzles: find a number for which
//! SHA-256(salt, number, index) begins with so many zero bits. Sixteen puzzles vary a quarter as much as one that is
//! sixteen times as hard, so that few people wait much longer than most. A check costs 17 hashes.

use base64ct::{Base64UrlUnpadded, Encoding};
use sha2::{Digest, Sha256};

use crate::{SigningKey, SingleUse};

/// How long a challenge is valid. A slow phone needs some seconds.
pub const CHALLENGE_LIFETIME_S: u32 = 120;
/// The puzzles of a challenge.
pub const PUZZLES: usize = 1 << PUZZLES_LOG2;
const PUZZLES_LOG2: u8 = 4;

const CLAIMS_BYTES: usize = 1 + 1 + 8 + 16;
const MAC_BYTES: usize = 32;

/// What a solved challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Purpose {
    GuestToken,
    SignUp,
    Login,
}

/// The leading zero bits that each puzzle needs, so that all of them together take 2^`bits` hashes on average.
pub const fn puzzle_bits(bits: u8) -> u8 {
    bits.saturating_sub(PUZZLES_LOG2)
}

impl SigningKey {
    /// A challenge for callers in this network.
    pub fn issue_challenge(
        &self,
        purpose: Purpose,
        network: &str,
        bits: u8,
        random: [u8; 16],
        now_ms: u64,
    ) -> String {
        let expires_ms = now_ms.saturating_add(u64::from(CHALLENGE_LIFETIME_S) * 1000);
        let head = [purpose as u8, puzzle_bits(bits)];
        let claims = [&head[..], &expires_ms.to_be_bytes(), &random].concat();
        let mac = self.challenges.sign(&message(&claims, network));
        Base64UrlUnpadded::encode_string(&[claims, mac].concat())
    }

    /// Checks a solution: the challenge, a dot, and the 16 numbers as big-endian bytes in base64url. [`None`] for one
    /// that is wrong, has expired, or was issued with another key, for another purpose or another network. The caller
    /// spends what is returned.
    pub fn check_solution(
        &self,
        solution: &str,
        purpose: Purpose,
        network: &str,
        now_ms: u64,
    ) -> Option<SingleUse> {
        let (challenge, numbers) = solution.split_once('.')?;
        let mut bytes = [0; CLAIMS_BYTES + MAC_BYTES];
        let challenge = Base64UrlUnpadded::decode(challenge, &mut bytes).ok()?;
        let (claims, mac) = challenge.split_first_chunk::<CLAIMS_BYTES>()?;
        if !self.challenges.verify(&message(claims, network), mac) {
            return None;
        }
        let [claimed_purpose, bits, rest @ ..] = claims;
        let expires_ms = u64::from_be_bytes(*rest.first_chunk()?);
        if *claimed_purpose != purpose as u8 || expires_ms <= now_ms {
            return None;
        }
        let mut bytes = [0; 4 * PUZZLES];
        let numbers = Base64UrlUnpadded::decode(numbers, &mut bytes).ok()?;
        let (numbers, rest) = numbers.as_chunks::<4>();
        let is_solved = numbers.len() == PUZZLES
            && rest.is_empty()
            && (0..)
                .zip(numbers)
                .all(|(index, number)| zero_bits(mac, *number, index) >= (*bits).into());
        is_solved.then(|| SingleUse { id: Base64UrlUnpadded::encode_string(mac), expires_ms })
    }
}

/// Claims have a fixed length, so no two pairs have the same message.
fn message(claims: &[u8], network: &str) -> Vec<u8> {
    [claims, network.as_bytes()].concat()
}

/// How many zero bits the hash of a number begins with, up to 32.
fn zero_bits(salt: &[u8], number: [u8; 4], index: u8) -> u32 {
    let hash =
        Sha256::new().chain_update(salt).chain_update(number).chain_update([index]).finalize();
    hash.first_chunk().map_or(0, |first| u32::from_be_bytes(*first).leading_zeros())
}

/// Solves a challenge, for tests.
///
/// # Panics
/// When it is no challenge.
#[cfg(any(test, feature = "testing"))]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test that fails panics")]
pub fn solve(challenge: &str) -> String {
    let bytes = Base64UrlUnpadded::decode_vec(challenge).expect("base64url");
    let (bits, salt) = (bytes[1], &bytes[CLAIMS_BYTES..]);
    let solve_one = |index| {
        let mut numbers = (0_u32..).map(u32::to_be_bytes);
        numbers.find(|number| zero_bits(salt, *number, index) >= bits.into()).expect("found")
    };
    let numbers: Vec<u8> = (0..16).flat_map(solve_one).collect();
    format!("{challenge}.{}", Base64UrlUnpadded::encode_string(&numbers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOW_MS, SIGNING_JWK};

    const NETWORK: &str = "net:203.0.113.0/24";
    const BITS: u8 = 10;
    const LIFETIME_MS: u64 = 120_000;

    fn key() -> SigningKey {
        SigningKey::from_jwk(SIGNING_JWK).expect("a key")
    }

    fn solved() -> String {
        solve(&key().issue_challenge(Purpose::Login, NETWORK, BITS, [7; 16], NOW_MS))
    }

    fn check(solution: &str) -> Option<SingleUse> {
        key().check_solution(solution, Purpose::Login, NETWORK, NOW_MS)
    }

    #[test]
    fn a_solution_is_valid_for_its_purpose_and_network_until_it_expires() {
        let solution = solved();
        let spent = check(&solution).expect("valid");
        assert_eq!(spent.expires_ms, NOW_MS + LIFETIME_MS);
        let at =
            |purpose, network, now_ms| key().check_solution(&solution, purpose, network, now_ms);
        assert_eq!(at(Purpose::Login, NETWORK, NOW_MS + LIFETIME_MS - 1), Some(spent));
        assert_eq!(at(Purpose::Login, NETWORK, NOW_MS + LIFETIME_MS), None);
        for purpose in [Purpose::GuestToken, Purpose::SignUp] {
            assert_eq!(at(purpose, NETWORK, NOW_MS), None, "{purpose:?}");
        }
        for network in ["", "net:203.0.114.0/24", "net:203.0.113.0/2", "net:2001:db8::/64"] {
            assert_eq!(at(Purpose::Login, network, NOW_MS), None, "{network}");
        }
    }

    #[test]
    fn each_challenge_is_spent_under_a_name_of_its_own() {
        let issue =
            |random| solve(&key().issue_challenge(Purpose::Login, NETWORK, 4, random, NOW_MS));
        let id = |random| check(&issue(random)).expect("valid").id;
        assert_eq!(id([1; 16]), id([1; 16]));
        assert_ne!(id([1; 16]), id([2; 16]));
    }

    #[test]
    fn a_changed_challenge_is_refused() {
        let (challenge, numbers) =
            solved().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("two parts");
        let bytes = Base64UrlUnpadded::decode_vec(&challenge).expect("base64url");
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            // The second byte is the difficulty: no puzzle to solve.
            changed[at] = if at == 1 { 0 } else { changed[at] ^ 1 };
            let text = Base64UrlUnpadded::encode_string(&changed);
            assert_eq!(check(&format!("{text}.{numbers}")), None, "{at}");
        }
    }

    #[test]
    fn every_puzzle_must_be_solved() {
        let solution = solved();
        let (challenge, numbers) = solution.split_once('.').expect("two parts");
        let numbers = Base64UrlUnpadded::decode_vec(numbers).expect("base64url");
        let with = |numbers: &[u8]| {
            check(&format!("{challenge}.{}", Base64UrlUnpadded::encode_string(numbers)))
        };
        assert!(with(&numbers).is_some());
        for puzzle in 0..PUZZLES {
            let mut wrong = numbers.clone();
            // One of a thousand other numbers would do as well; no puzzle here has this one.
            wrong[4 * puzzle] ^= 0x80;
            assert_eq!(with(&wrong), None, "{puzzle}");
        }
        assert_eq!(with(&numbers[4..]), None);
        assert_eq!(with(&numbers[..numbers.len() - 1]), None);
        assert_eq!(with(&[&numbers[..], &[0; 4]].concat()), None);
    }

    #[test]
    fn garbage_is_refused() {
        let solution = solved();
        let long = "A".repeat(10_000);
        for text in [
            "",
            ".",
            "..",
            "a.b",
            &solution[1..],
            &format!("{solution}."),
            &format!("{solution}A"),
            &format!("{long}.{long}"),
            "é.é",
        ] {
            assert_eq!(check(text), None, "{text}");
        }
        let other = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}"#;
        let other = SigningKey::from_jwk(other).expect("a key");
        assert_eq!(
            other.check_solution(&solution, Purpose::Login, NETWORK, NOW_MS),
            None,
            "another key"
        );
    }

    #[test]
    fn all_puzzles_together_take_the_hashes_of_the_difficulty() {
        let mut hashes = 0_u64;
        for round in 0..16 {
            let challenge = key().issue_challenge(Purpose::Login, NETWORK, 12, [round; 16], NOW_MS);
            let solution = solve(&challenge);
            let numbers = solution
                .split_once('.')
                .map(|(_, numbers)| Base64UrlUnpadded::decode_vec(numbers).expect("base64url"));
            let numbers = numbers.expect("two parts");
            hashes += numbers
                .as_chunks::<4>()
                .0
                .iter()
                .map(|number| u64::from(u32::from_be_bytes(*number)) + 1)
                .sum::<u64>();
        }
        let mean = hashes / 16;
        assert!((3000..6000).contains(&mean), "{mean} instead of 4096");
    }
}
