//! The SHA-256 of saved bytes, in the 32 bytes that it is: one is held for each of a hundred thousand jobs.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256; shown as lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum(pub [u8; 32]);

impl Checksum {
    /// The SHA-256 of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits; None if it is anything else.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let (pairs, []) = hex.as_bytes().as_chunks::<2>() else { return None };
        let mut bytes = [0; 32];
        if pairs.len() != bytes.len() {
            return None;
        }
        let digit = |digit: u8| char::from(digit).to_digit(16);
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
        }
        Some(Self(bytes))
    }
}

/// The first sixteen hex digits of the SHA-256 of a text: enough to tell names apart.
pub fn short_digest(text: &[u8]) -> String {
    Checksum::of(text).to_string().chars().take(16).collect()
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_64_hexadecimal_digits_and_nothing_else() {
        let hex = "9f2c77ab".repeat(8);
        assert_eq!(Checksum::from_hex(&hex).map(|sum| sum.to_string()), Some(hex.clone()));
        let others = ["".to_owned(), "9f".to_owned(), format!("{hex}0"), format!("{hex}00"), hex.replace('f', "g")];
        for other in others.into_iter().chain([hex.replace("9f", "é")]) {
            assert_eq!(Checksum::from_hex(&other), None, "{other}");
        }
    }
}
