// The scheme `batch-settlement`: deposits, vouchers, claims, refunds and withdrawals.
import { equal, refused, works } from "./cases.mjs";
import {
  BATCH,
  ERC3009_COLLECTOR,
  NETWORK,
  PERMIT2,
  PERMIT2_COLLECTOR,
  TOKEN,
  authorizer,
  balanceOf,
  chain,
  payee,
  payer,
  read,
  send,
  settler,
  stranger,
  url,
} from "./chain.mjs";
import { highS, pay, requirements, settlerSigner, signerOf, succeeded } from "./payments.mjs";
import { ABI } from "./abi.mjs";
import { client, computeChannelId, evm, facilitator, http, signVoucher, viem } from "./stock.mjs";

const DELAY = 900;
const offerBy = (method) =>
  requirements("batch-settlement", 1000, {
    receiverAuthorizer: authorizer.address,
    withdrawDelay: DELAY,
    ...(method && { assetTransferMethod: method }),
  });
const offer = offerBy();
const batch = new facilitator.Batch(settlerSigner, authorizer.account);
const clientFor = (salt, options = {}) =>
  new client.Batch(signerOf(payer), { salt: viem.pad(viem.toHex(salt)), rpcUrl: url, ...options });
/// Has the facilitator do what a server asks it for.
const ask = (payload) => batch.settle({ x402Version: 2, accepted: offer, payload }, offer);
/// Tells a client what it was charged, as the server's answer does.
const charged = (scheme, payment, chargedAmount) =>
  scheme.schemeHooks.onPaymentResponse({
    settleResponse: { success: true, extra: { chargedAmount: `${chargedAmount}` } },
    paymentPayload: payment,
    requirements: payment.accepted,
  });
const claimOf = ({ payload: { channelConfig, voucher } }, totalClaimed) => ({
  voucher: { channel: channelConfig, maxClaimableAmount: voucher.maxClaimableAmount },
  signature: voucher.signature,
  totalClaimed: `${totalClaimed}`,
});
const idOf = (config) => computeChannelId(config, NETWORK);
const channel = (config) => read(BATCH, "channels", idOf(config));

// What the contract takes where the SDK has strings.
const rowOf = (claim) => ({
  voucher: { channel: claim.voucher.channel, maxClaimableAmount: BigInt(claim.voucher.maxClaimableAmount) },
  signature: claim.signature,
  totalClaimed: BigInt(claim.totalClaimed),
});
const domain = { ...evm.BATCH_SETTLEMENT_DOMAIN, chainId: 84532, verifyingContract: BATCH };
const signClaims = (who, claims) =>
  who.account.signTypedData({
    domain,
    types: evm.claimBatchTypes,
    primaryType: "ClaimBatch",
    message: {
      claims: claims.map(({ voucher, totalClaimed }) => ({
        channelId: idOf(voucher.channel),
        maxClaimableAmount: BigInt(voucher.maxClaimableAmount),
        totalClaimed: BigInt(totalClaimed),
      })),
    },
  });
const signRefund = (who, config, nonce, amount) =>
  who.account.signTypedData({
    domain,
    types: evm.refundTypes,
    primaryType: "Refund",
    message: { channelId: idOf(config), nonce, amount },
  });
/// Submits claims as anybody may, signed by the receiverAuthorizer.
const claim = async (claims, signature) =>
  send(settler, BATCH, "claimWithSignature", claims.map(rowOf), signature ?? (await signClaims(authorizer, claims)));
/// A claim of a voucher that `who` signs for `max`.
const claimSigned = async (who, config, max, totalClaimed) => {
  const voucher = await signVoucher(who.account, idOf(config), `${max}`, NETWORK);
  return claimOf({ payload: { channelConfig: config, voucher } }, totalClaimed);
};

// --- Deposits ---

const erc3009Data = ({ erc3009Authorization: by }, salt = by.salt) =>
  viem.encodeAbiParameters(viem.parseAbiParameters("uint256, uint256, uint256, bytes"), [
    BigInt(by.validAfter),
    BigInt(by.validBefore),
    BigInt(salt),
    by.signature,
  ]);
const permit2Data = ({ permit2Authorization: by }) =>
  viem.encodeAbiParameters(viem.parseAbiParameters("uint256, uint256, bytes, bytes"), [
    BigInt(by.nonce),
    BigInt(by.deadline),
    by.signature,
    "0x",
  ]);
const deposit = ({ channelConfig, deposit: { amount, authorization } }, changes = {}) =>
  send(
    changes.by ?? stranger,
    BATCH,
    "deposit",
    { ...channelConfig, ...changes.config },
    changes.amount ?? BigInt(amount),
    changes.collector ?? (authorization.permit2Authorization ? PERMIT2_COLLECTOR : ERC3009_COLLECTOR),
    authorization.permit2Authorization ? permit2Data(authorization) : erc3009Data(authorization, changes.salt),
  );
const erc3009Client = clientFor(1);
const first = await pay(erc3009Client, offer);
const config = first.payload.channelConfig;

await works("batch: channel ids are those of the SDK", async () => {
  equal(await read(BATCH, "getChannelId", config), idOf(config));
});
await works("batch: digests are those of the SDK", async () => {
  const message = { channelId: idOf(config), maxClaimableAmount: 7n };
  equal(
    await read(BATCH, "getVoucherDigest", message.channelId, 7n),
    viem.hashTypedData({ domain, types: evm.voucherTypes, primaryType: "Voucher", message }),
  );
  const refund = { channelId: idOf(config), nonce: 3n, amount: 7n };
  equal(
    await read(BATCH, "getRefundDigest", refund.channelId, 3n, 7n),
    viem.hashTypedData({ domain, types: evm.refundTypes, primaryType: "Refund", message: refund }),
  );
});
for (const [name, reason, changes] of [
  ["into another channel", "InvalidSignature", { config: { salt: viem.pad("0x99") } }],
  ["for another receiver", "InvalidSignature", { config: { receiver: stranger.address } }],
  ["of another amount", "InvalidSignature", { amount: 4999n }],
  ["by another collector", "InvalidCollector", { collector: stranger.address }],
  ["of nothing", "ZeroDeposit", { amount: 0n }],
  ["without a receiver", "InvalidChannel", { config: { receiver: viem.zeroAddress } }],
  ["without a receiverAuthorizer", "InvalidChannel", { config: { receiverAuthorizer: viem.zeroAddress } }],
  ["with a delay of 899 s", "WithdrawDelayOutOfRange", { config: { withdrawDelay: 899 } }],
  ["with a delay above 30 days", "WithdrawDelayOutOfRange", { config: { withdrawDelay: 2_592_001 } }],
]) {
  await refused(`batch: an EIP-3009 deposit ${name}`, reason, () => deposit(first.payload, changes));
}
await refused("batch: a deposit with a high s", "InvalidSignature", () => {
  const changed = structuredClone(first.payload);
  const by = changed.deposit.authorization.erc3009Authorization;
  by.signature = highS(by.signature);
  return deposit(changed);
});
await refused("batch: an expired deposit", "AuthorizationExpired", async () =>
  deposit((await pay(clientFor(1), { ...offer, maxTimeoutSeconds: -1000 })).payload),
);
await refused("batch: the EIP-3009 collector, asked by a stranger", "CallerMustBeSettlement", () =>
  send(
    stranger,
    ERC3009_COLLECTOR,
    "collect",
    payer.address,
    TOKEN,
    5000n,
    idOf(config),
    erc3009Data(first.payload.deposit.authorization),
  ),
);
await refused("batch: a voucher before the deposit, by the SDK", "invalid_batch_settlement_evm_channel_not_found", () =>
  batch.verify({ ...first, payload: { ...first.payload, type: "voucher", deposit: undefined } }, offer),
);
await works("batch: an EIP-3009 deposit opens the channel", async () => {
  equal(first.payload.type, "deposit");
  succeeded(await batch.verify(first, offer));
  equal(succeeded(await batch.settle(first, offer)).extra.channelState.balance, "5000");
  equal(await channel(config), [5000n, 0n]);
  await charged(erc3009Client, first, 700);
});
await refused("batch: a deposit beyond what a channel can count", "DepositOverflow", () =>
  deposit(first.payload, { amount: 2n ** 128n - 1n }),
);
await refused("batch: the same deposit again", "AuthorizationUsedOrCanceled", () => deposit(first.payload));

await refused(
  "batch: a Permit2 deposit without allowance",
  "invalid_batch_settlement_evm_permit2_allowance_required",
  async () => batch.verify(await pay(clientFor(2), offerBy("permit2")), offerBy("permit2")),
);
const permit2Client = clientFor(2);
const permit2First = await pay(permit2Client, offerBy("permit2"), true);
const permit2Config = permit2First.payload.channelConfig;
await works("batch: a Permit2 deposit, gas sponsored by EIP-2612", async () => {
  equal(Object.keys(permit2First.extensions), ["eip2612GasSponsoring"]);
  succeeded(await batch.verify(permit2First, offerBy("permit2")));
  succeeded(await batch.settle(permit2First, offerBy("permit2")));
  equal(await channel(permit2Config), [5000n, 0n]);
  await charged(permit2Client, permit2First, 1000);
});
await send(payer, TOKEN, "approve", PERMIT2, 2n ** 256n - 1n);
const permit2Second = await pay(clientFor(3), offerBy("permit2"));
for (const [name, reason, changes] of [
  ["into another channel", "InvalidSigner", { config: { salt: viem.pad("0x99") } }],
  ["of another amount", "InvalidSigner", { amount: 4999n }],
]) {
  await refused(`batch: a Permit2 deposit ${name}`, reason, () => deposit(permit2Second.payload, changes));
}
await refused("batch: the same Permit2 deposit again", "InvalidNonce", () => deposit(permit2First.payload));
await refused("batch: an expired Permit2 deposit", "SignatureExpired", async () =>
  deposit((await pay(clientFor(3), { ...offerBy("permit2"), maxTimeoutSeconds: -1000 })).payload),
);
await refused("batch: the Permit2 collector, asked by a stranger", "CallerMustBeSettlement", () =>
  send(
    stranger,
    PERMIT2_COLLECTOR,
    "collect",
    payer.address,
    TOKEN,
    5000n,
    idOf(config),
    permit2Data(permit2Second.payload.deposit.authorization),
  ),
);
await works("batch: a Permit2 deposit with a standing allowance, anybody submits", async () => {
  equal(await deposit(permit2Second.payload), ["ChannelCreated", "Deposited"]);
});
await send(payer, TOKEN, "approve", PERMIT2, 0n);

// --- Vouchers and claims ---

const second = await pay(erc3009Client, offer);
await works("batch: a voucher for the second call", async () => {
  equal([second.payload.type, second.payload.voucher.maxClaimableAmount], ["voucher", "1700"]);
  succeeded(await batch.verify(second, offer));
  await charged(erc3009Client, second, 800);
});
await refused(
  "batch: a voucher that another signed, by the SDK",
  "invalid_batch_settlement_evm_voucher_signature",
  async () => {
    const voucher = await signVoucher(stranger.account, idOf(config), "1700", NETWORK);
    return batch.verify({ ...second, payload: { ...second.payload, voucher } }, offer);
  },
);
await refused(
  "batch: a voucher above the balance, by the SDK",
  "invalid_batch_settlement_evm_cumulative_exceeds_balance",
  async () => {
    const voucher = await signVoucher(payer.account, idOf(config), "5001", NETWORK);
    return batch.verify({ ...second, payload: { ...second.payload, voucher } }, offer);
  },
);
for (const [name, reason, act] of [
  ["a claim above the voucher", "ClaimExceedsCeiling", () => claim([claimOf(second, 1701)])],
  [
    "a claim above the balance",
    "ClaimExceedsBalance",
    async () => claim([await claimSigned(payer, config, 9000, 5001)]),
  ],
  [
    "a voucher of another signer",
    "InvalidSignature",
    async () => claim([await claimSigned(stranger, config, 1700, 1700)]),
  ],
  [
    "a voucher of another channel",
    "InvalidSignature",
    () => claim([{ ...claimOf(second, 1), voucher: { ...claimOf(second, 1).voucher, channel: permit2Config } }]),
  ],
  [
    "a voucher raised by the server",
    "InvalidSignature",
    () => claim([{ ...claimOf(second, 1800), voucher: { channel: config, maxClaimableAmount: "1800" } }]),
  ],
  [
    "a voucher with a high s",
    "InvalidSignature",
    () => claim([{ ...claimOf(second, 1500), signature: highS(second.payload.voucher.signature) }]),
  ],
  [
    "a batch signed by a stranger",
    "InvalidSignature",
    async () => claim([claimOf(second, 1500)], await signClaims(stranger, [claimOf(second, 1500)])),
  ],
  [
    "a batch signed for another total",
    "InvalidSignature",
    async () => claim([claimOf(second, 1600)], await signClaims(authorizer, [claimOf(second, 1500)])),
  ],
  ["a batch of nothing", "EmptyBatch", () => claim([], "0x")],
  [
    "a batch with another's channel",
    "NotReceiverAuthorizer",
    async () => {
      const foreign = await claimSigned(payer, { ...config, receiverAuthorizer: stranger.address }, 1, 1);
      return claim([claimOf(second, 1500), foreign]);
    },
  ],
  [
    "a claim by a stranger",
    "NotAuthorizedToClaim",
    () => send(stranger, BATCH, "claim", [rowOf(claimOf(second, 1500))]),
  ],
  ["a claim by the payer", "NotAuthorizedToClaim", () => send(payer, BATCH, "claim", [rowOf(claimOf(second, 1500))])],
]) {
  await refused(`batch: ${name}`, reason, act);
}
await works("batch: two channels claimed at once", async () => {
  succeeded(await ask({ type: "claim", claims: [claimOf(second, 1500), claimOf(permit2First, 1000)] }));
  equal(
    [await channel(config), await channel(permit2Config)],
    [
      [5000n, 1500n],
      [5000n, 1000n],
    ],
  );
  equal(await read(BATCH, "receivers", payee.address, TOKEN), [2500n, 0n]);
});
await works("batch: a claim again, and one that would go back, change nothing", async () => {
  equal(await claim([claimOf(second, 1500)]), []);
  equal(await claim([claimOf(first, 700)]), []);
  equal(await channel(config), [5000n, 1500n]);
  equal(await read(BATCH, "receivers", payee.address, TOKEN), [2500n, 0n]);
});
await works("batch: the receiver claims without a signature", async () => {
  equal(await send(payee, BATCH, "claim", [rowOf(claimOf(second, 1501))]), ["Claimed"]);
  equal(await send(authorizer, BATCH, "claim", [rowOf(claimOf(second, 1502))]), ["Claimed"]);
});
await refused(
  "batch: a voucher below what is claimed, by the SDK",
  "invalid_batch_settlement_evm_cumulative_below_claimed",
  () => batch.verify({ ...first, payload: { ...first.payload, type: "voucher", deposit: undefined } }, offer),
);
await works("batch: settles everything claimed to the receiver", async () => {
  const before = await balanceOf(payee.address);
  equal(succeeded(await ask({ type: "settle", receiver: payee.address, token: TOKEN })).amount, "2502");
  equal((await balanceOf(payee.address)) - before, 2502n);
});
await refused("batch: settling again, by the SDK", "invalid_batch_settlement_evm_nothing_to_settle", () =>
  ask({ type: "settle", receiver: payee.address, token: TOKEN }),
);
await works("batch: settling nothing does nothing", async () =>
  equal(await send(stranger, BATCH, "settle", payee.address, TOKEN), []),
);
const byAnotherKey = clientFor(4, { voucherSigner: stranger.account });
await works("batch: vouchers by a payerAuthorizer", async () => {
  const payment = await pay(byAnotherKey, offer);
  equal(payment.payload.channelConfig.payerAuthorizer, stranger.address);
  succeeded(await batch.settle(payment, offer));
  equal(await claim([claimOf(payment, 10)]), ["Claimed"]);
});
await refused("batch: a voucher of the payer where another key signs", "InvalidSignature", async () =>
  claim([await claimSigned(payer, byAnotherKey.buildChannelConfig(offer), 100, 100)]),
);
const byPayer = clientFor(5, { payerAuthorizer: viem.zeroAddress });
await works("batch: vouchers by the payer when payerAuthorizer is zero", async () => {
  const payment = await pay(byPayer, offer);
  equal(payment.payload.channelConfig.payerAuthorizer, viem.zeroAddress);
  succeeded(await batch.settle(payment, offer));
  equal(await claim([claimOf(payment, 10)]), ["Claimed"]);
});
await works("batch: claim and settle in one transaction", async () => {
  const claims = [claimOf(second, 1600)];
  const call = (functionName, ...args) => viem.encodeFunctionData({ abi: ABI, functionName, args });
  equal(
    await send(stranger, BATCH, "multicall", [
      call("claimWithSignature", claims.map(rowOf), await signClaims(authorizer, claims)),
      call("settle", payee.address, TOKEN),
    ]),
    ["Claimed", "Settled"],
  );
});
await refused("batch: one call of many fails, with its own words", "NotAuthorizedToRefund", () =>
  send(stranger, BATCH, "multicall", [
    viem.encodeFunctionData({ abi: ABI, functionName: "settle", args: [payee.address, TOKEN] }),
    viem.encodeFunctionData({ abi: ABI, functionName: "refund", args: [config, 1n] }),
  ]),
);

// --- Refunds ---

let refundSignature;
await works("batch: the stock client asks for a refund of 500, and gets it", async () => {
  const before = await balanceOf(payer.address);
  // What a server does: offers; then completes the refund and has the facilitator settle it.
  const server = async (_, { headers = {} }) => {
    const header = headers["PAYMENT-SIGNATURE"];
    if (!header) {
      const required = http.encodePaymentRequiredHeader({
        x402Version: 2,
        resource: { url: "http://shop" },
        accepts: [offer],
      });
      return new Response(null, { status: 402, headers: { "PAYMENT-REQUIRED": required } });
    }
    const payment = http.decodePaymentSignatureHeader(header);
    refundSignature = await signRefund(authorizer, config, 0n, 500n);
    const payload = { ...payment.payload, refundNonce: "0", claims: [], refundAuthorizerSignature: refundSignature };
    const settled = succeeded(await batch.settle({ ...payment, payload }, offer));
    return new Response(null, { headers: { "PAYMENT-RESPONSE": http.encodePaymentResponseHeader(settled) } });
  };
  equal((await erc3009Client.refund("http://shop", { amount: "500", fetch: server })).amount, "500");
  equal((await balanceOf(payer.address)) - before, 500n);
  equal(await channel(config), [4500n, 1600n]);
});
const refundWith = (amount, nonce, signature) =>
  send(stranger, BATCH, "refundWithSignature", config, amount, nonce, signature);
for (const [name, reason, act] of [
  ["the same refund again", "InvalidRefundNonce", () => refundWith(500n, 0n, refundSignature)],
  ["an old signature under a new nonce", "InvalidSignature", () => refundWith(500n, 1n, refundSignature)],
  [
    "a refund signed by a stranger",
    "InvalidSignature",
    async () => refundWith(5n, 1n, await signRefund(stranger, config, 1n, 5n)),
  ],
  [
    "a refund of more than was signed",
    "InvalidSignature",
    async () => refundWith(6n, 1n, await signRefund(authorizer, config, 1n, 5n)),
  ],
  [
    "a refund with a high s",
    "InvalidSignature",
    async () => refundWith(5n, 1n, highS(await signRefund(authorizer, config, 1n, 5n))),
  ],
  ["a refund of nothing", "ZeroRefund", async () => refundWith(0n, 1n, await signRefund(authorizer, config, 1n, 0n))],
  ["a refund by the payer", "NotAuthorizedToRefund", () => send(payer, BATCH, "refund", config, 5n)],
]) {
  await refused(`batch: ${name}`, reason, act);
}
await works("batch: a refund with a claim before it, by the SDK", async () => {
  const refund = {
    ...second.payload,
    type: "refund",
    amount: "100",
    refundNonce: "1",
    claims: [claimOf(second, 1700)],
  };
  equal(succeeded(await ask(refund)).extra.channelState.balance, "4400");
  equal(await channel(config), [4400n, 1700n]);
});
await works("batch: the receiver refunds, and what was signed for that nonce is void", async () => {
  const signed = await signRefund(authorizer, config, 2n, 5n);
  equal(await send(payee, BATCH, "refund", config, 100n), ["Refunded"]);
  await refundWith(5n, 2n, signed).then(
    () => equal("refunded", "refused"),
    (error) => equal(error.message.includes("InvalidRefundNonce"), true),
  );
});

// --- Withdrawals ---

const unused = permit2Second.payload.channelConfig;
const withdraw = (who, of, amount) => send(who, BATCH, "initiateWithdraw", of, amount);
const finalize = (who, of) => send(who, BATCH, "finalizeWithdraw", of);
for (const [name, reason, act] of [
  ["a withdrawal by the receiver", "NotAuthorizedToInitiateWithdraw", () => withdraw(payee, config, 1n)],
  ["a withdrawal of more than is unclaimed", "WithdrawAmountExceedsAvailable", () => withdraw(payer, config, 2601n)],
  ["a withdrawal of nothing", "NothingToWithdraw", () => withdraw(payer, config, 0n)],
  ["a withdrawal that was never announced", "WithdrawalNotPending", () => finalize(payer, config)],
]) {
  await refused(`batch: ${name}`, reason, act);
}
await works("batch: the payer announces withdrawals", async () => {
  equal(await withdraw(payer, config, 2600n), ["WithdrawInitiated"]);
  equal(await withdraw(payer, unused, 5000n), ["WithdrawInitiated"]);
  equal(await withdraw(payer, permit2Config, 1000n), ["WithdrawInitiated"]);
});
await refused("batch: a second withdrawal", "WithdrawalAlreadyPending", () => withdraw(payer, config, 1n));
await refused("batch: a withdrawal before its delay", "WithdrawDelayNotElapsed", () => finalize(payer, config));
await works("batch: the facilitator sees the withdrawal", async () => {
  const third = await pay(erc3009Client, offer);
  equal(succeeded(await batch.verify(third, offer)).extra.withdrawRequestedAt > 0, true);
  // What is claimed before the end is not withdrawn.
  equal(await claim([claimOf(third, 2000)]), ["Claimed"]);
});
await works("batch: a refund lowers a pending withdrawal, or ends it", async () => {
  await send(payee, BATCH, "refund", permit2Config, 400n);
  equal((await read(BATCH, "pendingWithdrawals", idOf(permit2Config)))[0], 600n);
  await send(payee, BATCH, "refund", permit2Config, 600n);
  equal(await read(BATCH, "pendingWithdrawals", idOf(permit2Config)), [0n, 0]);
});
await chain.increaseTime({ seconds: DELAY });
await chain.mine({ blocks: 1 });
await refused("batch: a withdrawal ended by the receiver", "NotAuthorizedToFinalizeWithdraw", () =>
  finalize(payee, config),
);
await works("batch: after the delay the payer has what is unclaimed", async () => {
  const before = await balanceOf(payer.address);
  equal(await finalize(payer, config), ["WithdrawFinalized"]);
  equal((await balanceOf(payer.address)) - before, 2300n);
  equal(await channel(config), [2000n, 2000n]);
});
await works("batch: an unused channel closes", async () => {
  equal(await finalize(payer, unused), ["ChannelClosed", "WithdrawFinalized"]);
  equal(await channel(unused), [0n, 0n]);
});
await refused("batch: the same withdrawal again", "WithdrawalNotPending", () => finalize(payer, config));
await refused("batch: a voucher after the money is gone", "ClaimExceedsBalance", async () =>
  claim([await claimSigned(payer, config, 2001, 2001)]),
);
await works("batch: a refund of an empty channel moves nothing and uses up its nonce", async () => {
  const nonce = await read(BATCH, "refundNonce", idOf(config));
  equal(await send(payee, BATCH, "refund", config, 1n), []);
  equal(await read(BATCH, "refundNonce", idOf(config)), nonce + 1n);
});

await works("batch: what it holds is what the channels and receivers have", async () => {
  const configs = [
    config,
    permit2Config,
    unused,
    byAnotherKey.buildChannelConfig(offer),
    byPayer.buildChannelConfig(offer),
  ];
  const [claimed, settled] = await read(BATCH, "receivers", payee.address, TOKEN);
  let owed = claimed - settled;
  for (const [balance, totalClaimed] of await Promise.all(configs.map(channel))) owed += balance - totalClaimed;
  equal(await balanceOf(BATCH), owed);
});
