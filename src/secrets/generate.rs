//! A value that nobody has seen: letters drawn by the operating system.

use super::random;
use crate::secret::Secret;

/// The alphabets that have a name. The first is taken where none is named: letters and digits are what every system takes, and
/// have to be quoted nowhere.
const ALPHABETS: [(&str, &str); 8] = [
    ("alphanumeric", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
    ("letters", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    ("lowercase", "abcdefghijklmnopqrstuvwxyz"),
    ("uppercase", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    ("digits", "0123456789"),
    ("hex", "0123456789abcdef"),
    ("base64url", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    // What can be seen of ASCII, without the blank.
    (
        "ascii",
        concat!("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    ),
];

/// What stands before the letters themselves.
const SET: &str = "set:";

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
    /// Reads `LENGTH,ALPHABET`: both may be missing (32 letters and digits); the alphabet is the name of one, or `set:` and
    /// the letters themselves.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (length, alphabet) = text.split_once(',').unwrap_or((text, ""));
        let length = match length.trim() {
            "" => 32,
            digits => {
                digits.parse().map_err(|_| "it begins with the length, a number: `32`, or `32,hex`".to_owned())?
            }
        };
        let letters = match alphabet.strip_prefix(SET) {
            Some(letters) => letters,
            None if alphabet.is_empty() => ALPHABETS[0].1,
            None => {
                ALPHABETS.iter().find(|(name, _)| *name == alphabet).map(|(_, letters)| *letters).ok_or_else(unknown)?
            }
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
        for _ in 0..self.length {
            let mut byte = [0];
            let letter = loop {
                random(&mut byte);
                if let Some(letter) = self.letter(byte[0]) {
                    break letter;
                }
            };
            value.expose_mut().push(letter);
        }
        value
    }

    /// The letter that a random byte stands for: none beyond the last whole round, which would favour the first letters.
    fn letter(&self, byte: u8) -> Option<char> {
        let fair = 256 - 256 % self.alphabet.len();
        (usize::from(byte) < fair).then(|| self.alphabet[usize::from(byte) % self.alphabet.len()])
    }
}

/// The message for an unknown alphabet. It doesn't repeat the alphabet, which may be a value that was typed by mistake.
fn unknown() -> String {
    let names: Vec<&str> = ALPHABETS.iter().map(|(name, _)| *name).collect();
    format!("there is no such alphabet: {}, or `{SET}` and the letters themselves", names.join(", "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn f06_the_name_of_an_alphabet_is_no_set_of_letters() {
        for (name, count) in [
            ("alphanumeric", 62),
            ("letters", 52),
            ("lowercase", 26),
            ("uppercase", 26),
            ("digits", 10),
            ("hex", 16),
            ("base64url", 64),
            ("ascii", 94),
        ] {
            let alphabet = Recipe::parse(&format!("64,{name}")).unwrap().alphabet;
            assert!(alphabet.len() == count && alphabet.iter().all(char::is_ascii_graphic), "{name}");
        }
        assert_eq!(ALPHABETS.len(), 8);
        assert_eq!(Recipe::parse("64,set:ascii").unwrap().alphabet, ['a', 'c', 'i', 's']);
        // Neither a misspelt name nor letters alone: who meant one would not notice that the other was taken.
        for neither in ["40,asci", "40,ASCII", "40,abcdefghij0123", "40,set"] {
            let told = Recipe::parse(neither).unwrap_err();
            assert!(told.contains("alphanumeric, letters,") && told.contains("`set:`"), "{told}");
            assert!(!told.contains("abcdefghij"), "{told}");
        }
    }

    #[test]
    fn a_recipe_has_a_length_and_an_alphabet() {
        assert_eq!(Recipe::parse("").unwrap().length, 32);
        assert_eq!(Recipe::parse("24").unwrap().alphabet.len(), 62);
        assert_eq!(Recipe::parse("64,hex").unwrap().alphabet.len(), 16);
        assert_eq!(Recipe::parse(",set:aabbccdd").unwrap().alphabet, ['a', 'b', 'c', 'd']);
        for bad in ["x", "4", "64,set:a", "10,digits", "9999", "32,set:\u{7}ab", "32,set:"] {
            assert!(Recipe::parse(bad).is_err(), "{bad}");
        }
        assert!(!Recipe::parse("hunter2").unwrap_err().contains("hunter2"), "a value that was typed by mistake");
    }

    #[test]
    fn every_letter_comes_and_none_from_elsewhere() {
        let recipe = Recipe::parse("4000,set:abc").unwrap();
        let value = recipe.make();
        let count = |letter| value.expose().chars().filter(|c| *c == letter).count();
        let counts = [count('a'), count('b'), count('c')];
        assert_eq!(counts.iter().sum::<usize>(), 4000);
        // A fair draw is beyond these bounds less than once in 10^15.
        assert!(counts.iter().all(|count| (1080..1590).contains(count)), "{counts:?}");
    }

    /// A letter that came more often than others would be guessed first.
    #[test]
    fn e2_11_as_many_bytes_stand_for_each_letter() {
        for recipe in ["64,hex", "64,alphanumeric", "64,ascii", "64,set:abc", "64,set:ab", "64,digits"] {
            let recipe = Recipe::parse(recipe).unwrap();
            let letters: Vec<char> = (0..=255).filter_map(|byte| recipe.letter(byte)).collect();
            let each = 256 / recipe.alphabet.len();
            for letter in &recipe.alphabet {
                assert_eq!(letters.iter().filter(|one| *one == letter).count(), each, "{letter} of {recipe:?}");
            }
        }
        let letters: String = ('\u{100}'..'\u{180}').collect();
        assert_eq!(Recipe::parse(&format!("10,set:{letters}")).unwrap().alphabet.len(), 128);
        assert!(Recipe::parse(&format!("10,set:{letters}\u{180}")).is_err());
        // 64 bits are enough, and 4096 letters.
        for (recipe, is_one) in [("16,hex", true), ("15,hex", false), ("64,set:ab", true), ("63,set:ab", false)] {
            assert_eq!(Recipe::parse(recipe).is_ok(), is_one, "{recipe}");
        }
        assert!(Recipe::parse("4096,hex").is_ok() && Recipe::parse("4097,hex").is_err());
    }
}
