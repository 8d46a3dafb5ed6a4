//! Version 1 of x402, whose clients are still about: its one scheme `exact`, translated to and from version 2.
//!
//! A 402 answer can serve both versions, because version 1 reads its body and version 2 a header. See
//! `specs/x402-specification-v1.md`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ErrorCode, PaymentPayload, PaymentRequirements, SCHEME_EXACT, clip};
use crate::facilitator::Rejection;
use crate::network::Network;

/// The version of the protocol.
pub const VERSION: u32 = 1;

/// The header of a paid request, holding a [`Payment`].
pub const X_PAYMENT: &str = "X-PAYMENT";

/// The header of an answer to a paid request, holding a [`SettleResponse`].
pub const X_PAYMENT_RESPONSE: &str = "X-PAYMENT-RESPONSE";

/// The EVM networks that have a name in version 1, with their chain ids.
const NETWORKS: [(&str, u64); 23] = [
    ("ethereum", 1),
    ("sepolia", 11_155_111),
    ("abstract", 2_741),
    ("abstract-testnet", 11_124),
    ("base-sepolia", 84_532),
    ("base", 8_453),
    ("avalanche-fuji", 43_113),
    ("avalanche", 43_114),
    ("iotex", 4_689),
    ("sei", 1_329),
    ("sei-testnet", 1_328),
    ("polygon", 137),
    ("polygon-amoy", 80_002),
    ("peaq", 3_338),
    ("story", 1_514),
    ("educhain", 41_923),
    ("skale-base-sepolia", 324_705_682),
    ("megaeth", 4_326),
    ("monad", 143),
    ("stable", 988),
    ("stable-testnet", 2_201),
    ("celo", 42_220),
    ("flare", 14),
];

/// The body of a 402 answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequired {
    /// The protocol version, [`VERSION`].
    pub x402_version: u32,
    /// Why an earlier payment was refused, or that one is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The ways to pay, any one of them.
    pub accepts: Vec<Requirements>,
}

/// One way to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirements {
    /// `exact`.
    pub scheme: String,
    /// The network by its name, such as `base-sepolia`.
    pub network: String,
    /// The amount in atomic units of the asset, as digits.
    pub max_amount_required: String,
    /// The URL of what is for sale.
    pub resource: String,
    /// What it is, in a sentence.
    pub description: String,
    /// The media type of the answer.
    pub mime_type: String,
    /// The address that receives the amount.
    pub pay_to: String,
    /// How long the server may take to answer, in seconds.
    pub max_timeout_seconds: u64,
    /// The address of the token.
    pub asset: String,
    /// `name` and `version` of the token's EIP-712 domain.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

/// What a client sends with its second request: the signed payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The protocol version, [`VERSION`].
    pub x402_version: u32,
    /// `exact`.
    pub scheme: String,
    /// The network by its name.
    pub network: String,
    /// What the scheme signs, as in version 2.
    pub payload: Map<String, Value>,
}

/// What a server tells about the settlement, beside the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SettleResponse {
    /// Whether the money moved.
    pub success: bool,
    /// Why it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_reason: Option<ErrorCode>,
    /// Who paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<String>,
    /// The hash of the transaction; empty when there is none.
    pub transaction: String,
    /// The network by its name.
    pub network: String,
}

/// Returns the name of a network, if version 1 has one.
pub fn network_name(network: Network) -> Option<&'static str> {
    NETWORKS.into_iter().find(|(_, chain_id)| *chain_id == network.chain_id).map(|(name, _)| name)
}

/// Returns the network of a name.
pub fn network(name: &str) -> Option<Network> {
    let (_, chain_id) = NETWORKS.into_iter().find(|(known, _)| *known == name)?;
    Some(Network { chain_id })
}

/// Tells whether a client of version 1 could pay the offer: `exact` by EIP-3009 on a network with a name.
pub fn speaks(offered: &PaymentRequirements) -> bool {
    let by_token = offered.extra_text("assetTransferMethod").is_none_or(|method| method == "eip3009");
    let upfront = offered.extra.contains_key("paymentFlow");
    offered.scheme == SCHEME_EXACT && by_token && !upfront && name_of(&offered.network).is_some()
}

/// Translates a 402 answer; nothing, if there is no way to pay that version 1 knows.
pub fn required(required: &super::PaymentRequired) -> Option<PaymentRequired> {
    let accept = |offered: &PaymentRequirements| {
        Some(Requirements {
            scheme: offered.scheme.clone(),
            network: name_of(&offered.network)?.to_owned(),
            max_amount_required: offered.amount.clone(),
            resource: required.resource.url.clone(),
            description: required.resource.description.clone().unwrap_or_default(),
            mime_type: required.resource.mime_type.clone().unwrap_or_default(),
            pay_to: offered.pay_to.clone(),
            max_timeout_seconds: offered.max_timeout_seconds,
            asset: offered.asset.clone(),
            extra: offered.extra.clone(),
        })
    };
    let accepts: Vec<_> =
        required.accepts.iter().filter(|offered| speaks(offered)).filter_map(accept).collect();
    let error = required.error.clone();
    (!accepts.is_empty()).then_some(PaymentRequired { x402_version: VERSION, error, accepts })
}

/// Translates a payment, as one that takes the offer of ours that version 1 [`speaks`]: a payment of version 1 does
/// not say which offer it takes. What it signs is not checked here.
pub fn payment(payment: Payment, offered: &PaymentRequirements) -> Result<PaymentPayload, Rejection> {
    if payment.x402_version != VERSION {
        let message = format!("`{X_PAYMENT}` is for x402 version 1, not {}", payment.x402_version);
        return Err(Rejection::new(ErrorCode::InvalidX402Version, message));
    }
    if payment.scheme != SCHEME_EXACT || !speaks(offered) {
        let message = format!("the scheme `{}` is not on offer", clip(&payment.scheme));
        return Err(Rejection::new(ErrorCode::UnsupportedScheme, message));
    }
    if name_of(&offered.network) != Some(&payment.network) {
        let message = format!("the network is {}, not `{}`", offered.network, clip(&payment.network));
        return Err(Rejection::new(ErrorCode::InvalidNetwork, message));
    }
    Ok(PaymentPayload {
        x402_version: super::VERSION,
        resource: None,
        accepted: offered.clone(),
        payload: payment.payload,
        extensions: None,
    })
}

/// Translates what is told about a settlement. A network without a name keeps its id.
pub fn settle_response(response: &super::SettleResponse) -> SettleResponse {
    SettleResponse {
        success: response.success,
        error_reason: response.error_reason.clone(),
        payer: response.payer.clone(),
        transaction: response.transaction.clone(),
        network: name_of(&response.network).unwrap_or(&response.network).to_owned(),
    }
}

fn name_of(network: &str) -> Option<&'static str> {
    network_name(network.parse().ok()?)
}
