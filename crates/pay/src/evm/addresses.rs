//! Where the contracts of x402 are: at the same address on every network, by CREATE2, and written into every SDK.

use alloy_primitives::{Address, address};

/// Uniswap's Permit2, which moves tokens by a signature of their owner.
pub const PERMIT2: Address = address!("000000000022D473030F116dDEE9F6B43aC78BA3");

/// `x402ExactPermit2Proxy`: the spender of `exact` payments by Permit2.
pub const EXACT_PERMIT2_PROXY: Address = address!("402085c248EeA27D92E8b30b2C58ed07f9E20001");

/// `x402UptoPermit2Proxy`: the spender of `upto` payments.
pub const UPTO_PERMIT2_PROXY: Address = address!("4020A4f3b7b90ccA423B9fabCc0CE57C6C240002");

/// `x402BatchSettlement`: the channels of `batch-settlement` payments.
pub const BATCH_SETTLEMENT: Address = address!("4020074e9dF2ce1deE5A9C1b5c3f541D02a10003");

/// `ERC3009DepositCollector`: the receiver of deposits by EIP-3009.
pub const ERC3009_DEPOSIT_COLLECTOR: Address = address!("4020806089470a89826cB9fB1f4059150b550004");

/// `Permit2DepositCollector`: the spender of deposits by Permit2.
pub const PERMIT2_DEPOSIT_COLLECTOR: Address = address!("4020425FAf3B746C082C2f942b4E5159887B0005");

/// `Multicall3`, through which stock clients and facilitators read.
pub const MULTICALL3: Address = address!("cA11bde05977b3631167028862bE2a173976CA11");
