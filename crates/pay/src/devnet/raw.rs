//! Transactions that others have signed: RLP, and who signed it.
//!
//! Taken are transactions after EIP-155 and of the types of EIP-2930 and EIP-1559. What they say about fees is read
//! over, for none are taken here. See the Ethereum yellow paper, appendix B, and EIP-2718.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};

use super::NETWORK;
use crate::chain::Call;
use crate::eip712;

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RawTransaction {
    pub(super) hash: B256,
    /// How many transactions the sender had made before.
    pub(super) nonce: u64,
    pub(super) call: Call,
}

/// Where the fields of a type are, counted from the front. The signature is always the last three.
struct Layout {
    kind: Option<u8>,
    fields: usize,
    nonce: usize,
    to: usize,
}

const LEGACY: Layout = Layout { kind: None, fields: 9, nonce: 0, to: 3 };
const EIP_2930: Layout = Layout { kind: Some(1), fields: 11, nonce: 1, to: 4 };
const EIP_1559: Layout = Layout { kind: Some(2), fields: 12, nonce: 1, to: 5 };

/// Reads a signed transaction and finds out who signed it, or says what is wrong with it.
pub(super) fn read(raw: &[u8]) -> Result<RawTransaction, String> {
    let (layout, list) = match raw.first() {
        Some(1) => (EIP_2930, &raw[1..]),
        Some(2) => (EIP_1559, &raw[1..]),
        Some(0xc0..) => (LEGACY, raw),
        Some(kind) => return Err(format!("transactions of type {kind} are not taken here")),
        None => return Err("the transaction is empty".to_owned()),
    };
    let fields = whole_list(list).ok_or("the transaction is not RLP")?;
    if fields.len() != layout.fields {
        return Err(format!("the transaction has {} fields instead of {}", fields.len(), layout.fields));
    }
    let field = |index: usize| fields.get(index).and_then(Item::text).ok_or("a field is a list");
    let number = |index: usize| field(index).and_then(|text| small(text).ok_or("a number is too large"));

    let signature_at = layout.fields - 3;
    let (parity, chain_id) = match layout.kind {
        Some(_) => (number(signature_at)?, number(0)?),
        // EIP-155: v holds the chain too.
        None => {
            let v =
                number(signature_at)?.checked_sub(35).ok_or("the signature is for no chain in particular")?;
            (v % 2, v / 2)
        }
    };
    if chain_id != NETWORK.chain_id {
        return Err(format!("the transaction is for chain {chain_id}, and this is {}", NETWORK.chain_id));
    }
    let to = field(layout.to)?;
    if to.is_empty() {
        return Err("contracts cannot be created here".to_owned());
    }
    let to = Address::from(<[u8; 20]>::try_from(to).map_err(|_| "the receiver is no address")?);
    if !field(layout.to + 1)?.is_empty() {
        return Err("there are no coins on this chain; only calls with a value of 0 are taken".to_owned());
    }
    let data = Bytes::copy_from_slice(field(layout.to + 2)?);

    let mut signature = [0; 65];
    for (index, half) in [(signature_at + 1, 0..32), (signature_at + 2, 32..64)] {
        let word = U256::try_from_be_slice(field(index)?).ok_or("the signature is too long")?;
        signature[half].copy_from_slice(&word.to_be_bytes::<32>());
    }
    signature[64] =
        27 + u8::try_from(parity).ok().filter(|parity| *parity < 2).ok_or("the signature's parity")?;
    let digest = signed_digest(&layout, fields.get(..signature_at).ok_or("too few fields")?);
    let from = eip712::recover(digest, &signature).map_err(|error| error.to_string())?;
    Ok(RawTransaction { hash: keccak256(raw), nonce: number(layout.nonce)?, call: Call { from, to, data } })
}

/// Returns the hash that was signed: over every field but the signature.
fn signed_digest(layout: &Layout, fields: &[Item<'_>]) -> B256 {
    let mut payload: Vec<u8> = fields.iter().flat_map(|item| item.encoded).copied().collect();
    if layout.kind.is_none() {
        let chain_id = NETWORK.chain_id.to_be_bytes();
        let chain_id = &chain_id[chain_id.iter().take_while(|byte| **byte == 0).count()..];
        payload.extend(header(0x80, chain_id.len()));
        payload.extend_from_slice(chain_id);
        // r and s, which are nothing yet.
        payload.extend([0x80, 0x80]);
    }
    let mut list: Vec<u8> = layout.kind.into_iter().collect();
    list.extend(header(0xc0, payload.len()));
    list.extend(payload);
    keccak256(list)
}

/// An item of RLP.
struct Item<'a> {
    /// The item with its header.
    encoded: &'a [u8],
    /// What is in it.
    content: &'a [u8],
    is_list: bool,
}

impl<'a> Item<'a> {
    fn text(&self) -> Option<&'a [u8]> {
        (!self.is_list).then_some(self.content)
    }
}

/// Reads a list that is all there is.
fn whole_list(input: &[u8]) -> Option<Vec<Item<'_>>> {
    let (list, rest) = item(input)?;
    if !list.is_list || !rest.is_empty() {
        return None;
    }
    let (mut items, mut content) = (Vec::new(), list.content);
    while !content.is_empty() {
        let (next, rest) = item(content)?;
        items.push(next);
        content = rest;
    }
    Some(items)
}

/// Reads the first item, and returns it and what follows.
fn item(input: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let first = *input.first()?;
    let (header, length, is_list) = match first {
        0..=0x7f => (0, 1, false),
        0x80..=0xb7 => (1, usize::from(first - 0x80), false),
        0xb8..=0xbf => long(input, first - 0xb7).map(|(header, length)| (header, length, false))?,
        0xc0..=0xf7 => (1, usize::from(first - 0xc0), true),
        0xf8.. => long(input, first - 0xf7).map(|(header, length)| (header, length, true))?,
    };
    let end = header.checked_add(length)?;
    let (encoded, rest) = (input.get(..end)?, input.get(end..)?);
    Some((Item { encoded, content: encoded.get(header..)?, is_list }, rest))
}

/// Reads a length of `size` bytes after the first byte.
fn long(input: &[u8], size: u8) -> Option<(usize, usize)> {
    let header = 1 + usize::from(size);
    Some((header, usize::try_from(small(input.get(1..header)?)?).ok()?))
}

/// Reads a number without leading zeros.
fn small(bytes: &[u8]) -> Option<u64> {
    if bytes.first() == Some(&0) || bytes.len() > 8 {
        return None;
    }
    Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Writes the header of an item: of a text from 0x80 on, of a list from 0xc0 on.
fn header(start: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short) if short <= 55 => vec![start + short],
        _ => {
            let bytes = length.to_be_bytes();
            let bytes = &bytes[bytes.iter().take_while(|byte| **byte == 0).count()..];
            let size = u8::try_from(bytes.len()).expect("a length has 8 bytes at most");
            [&[start + 55 + size][..], bytes].concat()
        }
    }
}
