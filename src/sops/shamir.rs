//! Shamir's scheme as sops has it: a data key in shares, one for each key group.
//!
//! Over GF(2^8) with x^8 + x^4 + x^3 + x + 1, a polynomial for each byte. A share is the values at x, then x itself.
//! Shares are only put together here; files with key groups are read and edited, not made.

use zeroize::Zeroizing;

/// A share: 32 values, and x.
pub(super) const SHARE: usize = 33;

/// Puts a key together: the polynomials' values at 0. `None` if a share has the wrong form, or two have the same x.
pub(super) fn combine(shares: &[Zeroizing<Vec<u8>>]) -> Option<Zeroizing<[u8; 32]>> {
    let at: Vec<u8> =
        shares.iter().map(|share| share.get(SHARE - 1).copied().filter(|x| *x != 0)).collect::<Option<_>>()?;
    let distinct = at.iter().enumerate().all(|(i, x)| !at[..i].contains(x));
    if !distinct || shares.iter().any(|share| share.len() != SHARE) {
        return None;
    }
    let mut key = Zeroizing::new([0; 32]);
    for (i, share) in shares.iter().enumerate() {
        let others = at.iter().enumerate().filter(|(j, _)| *j != i);
        // The Lagrange polynomial of this share at 0; subtraction is `^` in this field.
        let weight = others.fold(1, |weight, (_, x)| multiply(weight, multiply(*x, inverse(*x ^ at[i]))));
        for (byte, value) in key.iter_mut().zip(share.iter()) {
            *byte ^= multiply(weight, *value);
        }
    }
    Some(key)
}

/// Without a branch or a table that depends on the numbers.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0u8.wrapping_sub(b & 1);
        let carry = 0u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (0x1b & carry);
        b >>= 1;
    }
    product
}

/// a^254, which is 1/a.
fn inverse(a: u8) -> u8 {
    let (mut power, mut result) = (a, 1);
    for _ in 0..7 {
        power = multiply(power, power);
        result = multiply(result, power);
    }
    result
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_number_times_its_inverse_is_one() {
        assert!((1..=255).all(|a| multiply(a, inverse(a)) == 1));
        // From FIPS 197, section 4.2.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
    }

    #[test]
    fn any_two_shares_of_a_line_give_its_value_at_zero() {
        let share = |x: u8| {
            let mut share: Vec<u8> = (0..32u8).map(|i| i ^ multiply(i.wrapping_mul(7) ^ 0x5a, x)).collect();
            share.push(x);
            Zeroizing::new(share)
        };
        let secret: Vec<u8> = (0..32).collect();
        for (a, b) in [(1, 2), (2, 3), (3, 1), (200, 9)] {
            assert_eq!(combine(&[share(a), share(b)]).unwrap().as_slice(), secret);
        }
        assert!(combine(&[share(4), share(4)]).is_none());
        // At 0 stands the key itself.
        assert!(combine(&[share(0), share(4)]).is_none());
        assert!(combine(&[share(4), Zeroizing::new(vec![1; 32])]).is_none());
        assert!(combine(&[share(4), Zeroizing::new(vec![1; 34])]).is_none());
    }
}
