//! Dividing integers so that nothing is lost and nobody is favoured.

use crate::Digest;

/// Divides `amount` by `weights`: `floor(amount × w / W)` each, the leftover units by largest remainder, ties by
/// ascending SHA-256 of `salt || id`. Every part is within one unit of the exact figure. In the order of `weights`;
/// empty where all weigh nothing.
pub(crate) fn largest_remainder(amount: u128, weights: &[(String, u128)], salt: &str) -> Vec<u128> {
    let weight_sum: u128 = weights.iter().map(|(_, weight)| weight).sum();
    if weight_sum == 0 {
        return Vec::new();
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut order: Vec<(u128, Digest, usize)> = Vec::with_capacity(weights.len());
    for (index, (id, weight)) in weights.iter().enumerate() {
        let (part, rest) = multiply_divide(amount, *weight, weight_sum);
        parts.push(part);
        order.push((rest, Digest::of_parts(&[salt.as_bytes(), id.as_bytes()]), index));
    }
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let leftover = amount - parts.iter().sum::<u128>();
    for (_, _, index) in order.into_iter().take(leftover as usize) {
        parts[index] += 1;
    }
    parts
}

/// Returns `amount × weight / whole` and what remains, where `weight` is at most `whole`, and `whole` below 2^126.
///
/// Weights may be amounts in pico, as where a charge is given back, and the product then has up to 160 bits.
fn multiply_divide(amount: u128, weight: u128, whole: u128) -> (u128, u128) {
    if let Some(product) = amount.checked_mul(weight) {
        return (product / whole, product % whole);
    }
    // Long division, by one bit of the amount after the other.
    let (mut quotient, mut rest) = (0, 0);
    for bit in (0..u128::BITS).rev() {
        let next = rest * 2 + if amount >> bit & 1 == 1 { weight } else { 0 };
        quotient = quotient * 2 + next / whole;
        rest = next % whole;
    }
    (quotient, rest)
}
