//! Bytes in hexadecimal, as digests are written.

use std::fmt::Write;

pub fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A digest of 32 bytes.
pub fn decode_digest(text: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut digest = [0; 32];
    if !rest.is_empty() || pairs.len() != digest.len() {
        return None;
    }
    for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_back() {
        let digest: [u8; 32] =
            core::array::from_fn(|index| u8::try_from(index * 8).expect("small"));
        assert_eq!(decode_digest(&encode(&digest)), Some(digest));
        for wrong in [String::new(), "0".repeat(63), "0".repeat(66), "g".repeat(64), "é".repeat(32)]
        {
            assert_eq!(decode_digest(&wrong), None, "{wrong}");
        }
    }
}
