//! What the extension `offer-receipt` has a server sign. Its domain names no contract, and chain 1 for every chain.

use alloy_primitives::{B256, U256, keccak256};

use super::{Words, digest};
use crate::x402::extensions::offer_receipt::{Offer, Receipt};

const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId)";

const OFFER_TYPE: &str = "Offer(uint256 version,string resourceUrl,string scheme,string network,string asset,\
                          string payTo,string amount,uint256 validUntil)";

const RECEIPT_TYPE: &str = "Receipt(uint256 version,string network,string resourceUrl,string payer,\
                            uint256 issuedAt,string transaction)";

/// Returns the hash that is signed of an offer.
pub fn offer_digest(offer: &Offer) -> B256 {
    let mut words = Words::of(keccak256(OFFER_TYPE));
    words.push(U256::from(offer.version).into());
    let texts =
        [&offer.resource_url, &offer.scheme, &offer.network, &offer.asset, &offer.pay_to, &offer.amount];
    texts.into_iter().for_each(|text| words.push(keccak256(text)));
    words.push(U256::from(offer.valid_until).into());
    digest(domain_separator("x402 offer"), words.hash())
}

/// Returns the hash that is signed of a receipt.
pub fn receipt_digest(receipt: &Receipt) -> B256 {
    let mut words = Words::of(keccak256(RECEIPT_TYPE));
    words.push(U256::from(receipt.version).into());
    words.push(keccak256(&receipt.network));
    words.push(keccak256(&receipt.resource_url));
    words.push(keccak256(&receipt.payer));
    words.push(U256::from(receipt.issued_at).into());
    words.push(keccak256(&receipt.transaction));
    digest(domain_separator("x402 receipt"), words.hash())
}

fn domain_separator(name: &str) -> B256 {
    let mut words = Words::of(keccak256(DOMAIN_TYPE));
    words.push(keccak256(name));
    words.push(keccak256("1"));
    words.push(U256::ONE.into());
    words.hash()
}
