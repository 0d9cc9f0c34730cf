//! A value that nobody has seen: letters drawn by the operating system.

use super::random;
use crate::secret::Secret;

/// Letters and digits: what every system takes, and nothing that has to be quoted anywhere.
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How a value is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// How many letters.
    pub length: usize,
    /// Of which.
    pub alphabet: Vec<char>,
}

/// The fewest bits that a value may hold: below that it can be guessed.
const MIN_BITS: f64 = 64.0;

impl Recipe {
    /// Reads `LENGTH,ALPHABET`: both may be missing (32 letters and digits); the alphabet is `alphanumeric`, `hex`,
    /// `digits`, `base64url`, or the letters themselves.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (length, alphabet) = text.split_once(',').unwrap_or((text, ""));
        let length = match length.trim() {
            "" => 32,
            digits => digits.parse().map_err(|_| format!("`{digits}` is no length: write 32, or 32,hex"))?,
        };
        let letters = match alphabet {
            "" | "alphanumeric" => ALPHANUMERIC,
            "hex" => "0123456789abcdef",
            "digits" => "0123456789",
            "base64url" => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
            letters => letters,
        };
        let mut alphabet: Vec<char> = letters.chars().collect();
        alphabet.sort_unstable();
        alphabet.dedup();
        if alphabet.len() > 128 || alphabet.iter().any(|letter| letter.is_control()) {
            return Err("an alphabet has at most 128 letters, and no control characters".to_owned());
        }
        let bits = (alphabet.len() as f64).log2() * length as f64;
        if bits < MIN_BITS || length > 4096 {
            return Err(format!(
                "{length} letters of {} can be guessed: at least 64 bits, and at most 4096 letters",
                alphabet.len()
            ));
        }
        Ok(Self { length, alphabet })
    }

    /// A value, every letter equally likely.
    pub fn make(&self) -> Secret<String> {
        let mut value = Secret::new(String::with_capacity(self.length * 4));
        let fair = 256 - 256 % self.alphabet.len();
        for _ in 0..self.length {
            let mut byte = [0];
            // Bytes beyond the last whole round would favour the first letters.
            loop {
                random(&mut byte);
                if usize::from(byte[0]) < fair {
                    break;
                }
            }
            value.expose_mut().push(self.alphabet[usize::from(byte[0]) % self.alphabet.len()]);
        }
        value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_recipe_has_a_length_and_an_alphabet() {
        assert_eq!(Recipe::parse("").unwrap().length, 32);
        assert_eq!(Recipe::parse("24").unwrap().alphabet.len(), 62);
        assert_eq!(Recipe::parse("64,hex").unwrap().alphabet.len(), 16);
        assert_eq!(Recipe::parse(",aabbccdd").unwrap().alphabet, ['a', 'b', 'c', 'd']);
        for bad in ["x", "4", "64,a", "10,digits", "9999", "32,\u{7}ab"] {
            assert!(Recipe::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_letter_comes_and_none_from_elsewhere() {
        let recipe = Recipe::parse("4000,abc").unwrap();
        let value = recipe.make();
        let count = |letter| value.expose().chars().filter(|c| *c == letter).count();
        let counts = [count('a'), count('b'), count('c')];
        assert_eq!(counts.iter().sum::<usize>(), 4000);
        // A fair draw is beyond these bounds less than once in 10^15.
        assert!(counts.iter().all(|count| (1080..1590).contains(count)), "{counts:?}");
    }
}
