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
        // Fits: amounts are at most 1e24 pico and weights below 2^40 (fuel), which is below 2^128.
        let product = amount * weight;
        parts.push(product / weight_sum);
        order.push((product % weight_sum, Digest::of_parts(&[salt.as_bytes(), id.as_bytes()]), index));
    }
    order.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let leftover = amount - parts.iter().sum::<u128>();
    for (_, _, index) in order.into_iter().take(leftover as usize) {
        parts[index] += 1;
    }
    parts
}
