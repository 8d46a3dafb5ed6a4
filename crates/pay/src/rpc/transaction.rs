//! Transactions that we sign: one kind, that of EIP-1559, without coins and without an access list.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};

use crate::chain::Call;
use crate::wallet::Wallet;

/// The first byte of a transaction of EIP-1559.
const KIND: u8 = 2;

/// What one unit of gas costs at most, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fees {
    /// All together.
    pub(super) fee: u128,
    /// What the block's maker gets of it.
    pub(super) tip: u128,
}

/// A transaction before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsigned {
    pub(super) chain_id: u64,
    pub(super) nonce: u64,
    pub(super) fees: Fees,
    pub(super) gas: u64,
    pub(super) to: Address,
    pub(super) data: Bytes,
}

/// A signed transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) transaction: Unsigned,
    pub(super) hash: B256,
    /// What is broadcast.
    pub(super) raw: Bytes,
}

#[derive(RlpEncodable)]
struct UnsignedFields {
    chain_id: u64,
    nonce: u64,
    tip: u128,
    fee: u128,
    gas: u64,
    to: Address,
    value: U256,
    data: Bytes,
    access_list: Vec<B256>,
}

#[derive(RlpEncodable, RlpDecodable)]
struct SignedFields {
    chain_id: u64,
    nonce: u64,
    tip: u128,
    fee: u128,
    gas: u64,
    to: Address,
    value: U256,
    data: Bytes,
    access_list: Vec<B256>,
    odd: bool,
    r: U256,
    s: U256,
}

impl Unsigned {
    /// Signs it. The same words give the same bytes.
    pub(super) fn sign(self, wallet: &Wallet) -> Signed {
        let Self { chain_id, nonce, fees: Fees { fee, tip }, gas, to, ref data } = self;
        let (value, access_list, data) = (U256::ZERO, Vec::new(), data.clone());
        let unsigned = UnsignedFields { chain_id, nonce, tip, fee, gas, to, value, data, access_list };
        let signature = wallet.sign(keccak256(typed(&unsigned)));
        let UnsignedFields { data, access_list, .. } = unsigned;
        let fields = SignedFields {
            chain_id,
            nonce,
            tip,
            fee,
            gas,
            to,
            value,
            data,
            access_list,
            odd: signature[64] == 28,
            r: U256::from_be_slice(&signature[..32]),
            s: U256::from_be_slice(&signature[32..64]),
        };
        let raw = Bytes::from(typed(&fields));
        Signed { transaction: self, hash: keccak256(&raw), raw }
    }

    /// Returns what it calls, in the name of `from`.
    pub(super) fn call(&self, from: Address) -> Call {
        Call { from, to: self.to, data: self.data.clone() }
    }
}

impl Signed {
    /// Reads a transaction that we once signed.
    pub(super) fn read(raw: Bytes) -> Result<Self, String> {
        let (kind, mut list) = raw.split_first().ok_or("it is empty")?;
        if *kind != KIND {
            return Err(format!("its type is {kind}"));
        }
        let fields = SignedFields::decode(&mut list).map_err(|error| error.to_string())?;
        let SignedFields { chain_id, nonce, tip, fee, gas, to, data, .. } = fields;
        let transaction = Unsigned { chain_id, nonce, fees: Fees { fee, tip }, gas, to, data };
        Ok(Self { transaction, hash: keccak256(&raw), raw })
    }
}

fn typed(fields: &impl Encodable) -> Vec<u8> {
    let mut bytes = vec![KIND];
    fields.encode(&mut bytes);
    bytes
}
