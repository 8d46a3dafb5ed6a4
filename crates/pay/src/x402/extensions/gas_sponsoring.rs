//! `eip2612GasSponsoring`: the payer signs its allowance for Permit2 too, so that it needs no coins for gas.
//!
//! See `specs/extensions/eip2612_gas_sponsoring.md`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::schema;
use crate::x402::clip;

/// The extension's name.
pub const NAME: &str = "eip2612GasSponsoring";

/// The extension's version.
pub const VERSION: &str = "1";

/// An EIP-2612 permit as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eip2612Info {
    /// The owner of the tokens, who pays.
    pub from: String,
    /// The token.
    pub asset: String,
    /// Permit2.
    pub spender: String,
    /// The allowance in atomic units.
    pub amount: String,
    /// How many permits the owner has used up before.
    pub nonce: String,
    /// The last Unix second at which it is taken.
    pub deadline: String,
    /// `0x` and 65 bytes: r, s, v.
    pub signature: String,
    /// The version of the extension.
    pub version: String,
}

/// Returns the declaration.
pub fn declare() -> Value {
    let text = |pattern: &str, description: &str| json!({"type": "string", "pattern": pattern, "description": description});
    let address = "^0x[a-fA-F0-9]{40}$";
    let properties = json!({
        "from": text(address, "The address of the sender."),
        "asset": text(address, "The address of the ERC-20 token contract."),
        "spender": text(address, "The address of the spender (Canonical Permit2)."),
        "amount": text("^[0-9]+$", "The amount to approve (uint256). Typically MaxUint."),
        "nonce": text("^[0-9]+$", "The current nonce of the sender."),
        "deadline": text("^[0-9]+$", "The timestamp at which the signature expires."),
        "signature": text("^0x[a-fA-F0-9]+$", "The 65-byte concatenated signature (r, s, v) as a hex string."),
        "version": text(r"^[0-9]+(\.[0-9]+)*$", "Schema version identifier."),
    });
    let required = ["from", "asset", "spender", "amount", "nonce", "deadline", "signature", "version"];
    let description = "The facilitator accepts EIP-2612 gasless Permit to `Permit2` canonical contract.";
    json!({"info": {"description": description, "version": VERSION}, "schema": schema(properties, &required)})
}

/// Reads what a client added, or says what is wrong with it. Nothing, if it only echoes the declaration: it then has an
/// allowance already.
pub fn read(extensions: Option<&Map<String, Value>>) -> Result<Option<Eip2612Info>, String> {
    let added = |info: &&Map<String, Value>| info.contains_key("from") || info.contains_key("signature");
    let info = super::info(extensions, NAME).filter(added);
    info.map(Eip2612Info::deserialize).transpose().map_err(|error| clip(&error.to_string()))
}
