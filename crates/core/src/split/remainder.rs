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
        let (part, remainder) = multiply_divide(amount, *weight, weight_sum);
        parts.push(part);
        order.push((remainder, Digest::of_parts(&[salt.as_bytes(), id.as_bytes()]), index));
    }
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let leftover = amount - parts.iter().sum::<u128>();
    for (_, _, index) in order.into_iter().take(leftover as usize) {
        parts[index] += 1;
    }
    parts
}

/// Returns `floor(a × b / c)` and what remains, also where the product does not fit: then bit by bit. Amounts and the sums of
/// weights are below 2^126, and a part is no more than the amount.
fn multiply_divide(a: u128, b: u128, c: u128) -> (u128, u128) {
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product % c);
    }
    let (mut quotient, mut remainder) = (0, 0);
    for bit in (0..u128::BITS - b.leading_zeros()).rev() {
        let sum = 2 * remainder + if (b >> bit) & 1 == 1 { a % c } else { 0 };
        quotient = 2 * quotient + sum / c + if (b >> bit) & 1 == 1 { a / c } else { 0 };
        remainder = sum % c;
    }
    (quotient, remainder)
}
