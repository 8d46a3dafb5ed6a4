//! A channel's configuration as it travels.

use serde::{Deserialize, Serialize};

use super::field::{address, bytes32};
use crate::eip712::batch::ChannelConfig;

/// The largest number of 40 bits, which is what the contract takes for a delay.
const UINT40_MAX: u64 = (1 << 40) - 1;

/// A channel's configuration as it travels: bytes as hex, the delay as a number.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChannelConfigJson {
    payer: String,
    payer_authorizer: String,
    receiver: String,
    receiver_authorizer: String,
    token: String,
    withdraw_delay: u64,
    salt: String,
}

impl From<ChannelConfig> for ChannelConfigJson {
    fn from(channel: ChannelConfig) -> Self {
        Self {
            payer: channel.payer.to_checksum(None),
            payer_authorizer: channel.payer_authorizer.to_checksum(None),
            receiver: channel.receiver.to_checksum(None),
            receiver_authorizer: channel.receiver_authorizer.to_checksum(None),
            token: channel.token.to_checksum(None),
            withdraw_delay: channel.withdraw_delay,
            salt: channel.salt.to_string(),
        }
    }
}

impl TryFrom<ChannelConfigJson> for ChannelConfig {
    type Error = String;

    fn try_from(wire: ChannelConfigJson) -> Result<Self, String> {
        if wire.withdraw_delay > UINT40_MAX {
            return Err(format!("`withdrawDelay` is not a number of 40 bits: {}", wire.withdraw_delay));
        }
        let address = |name, text: &str| address(name, text).map_err(|refused| refused.message);
        Ok(Self {
            payer: address("payer", &wire.payer)?,
            payer_authorizer: address("payerAuthorizer", &wire.payer_authorizer)?,
            receiver: address("receiver", &wire.receiver)?,
            receiver_authorizer: address("receiverAuthorizer", &wire.receiver_authorizer)?,
            token: address("token", &wire.token)?,
            withdraw_delay: wire.withdraw_delay,
            salt: bytes32("salt", &wire.salt).map_err(|refused| refused.message)?,
        })
    }
}
