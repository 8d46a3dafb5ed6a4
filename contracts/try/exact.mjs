// The scheme `exact`, by EIP-3009 and by Permit2.
import { equal, refused, works } from "./cases.mjs";
import { EXACT_PROXY, PERMIT2, TOKEN, balanceOf, payee, payer, send, settler, stranger, url } from "./chain.mjs";
import {
  exactArgs,
  highS,
  inSeconds,
  pay,
  requirements,
  settlerSigner,
  signerOf,
  succeeded,
  viaProxy,
} from "./payments.mjs";
import { client, evm, facilitator, viem } from "./stock.mjs";

const exactClient = new client.Exact(signerOf(payer), { rpcUrl: url });
const exact = new facilitator.Exact(settlerSigner);
await works("exact, EIP-3009: verifies and settles", async () => {
  const offer = requirements("exact", 1000);
  const payment = await pay(exactClient, offer);
  const before = await balanceOf(payee.address);
  succeeded(await exact.verify(payment, offer));
  succeeded(await exact.settle(payment, offer));
  equal((await balanceOf(payee.address)) - before, 1000n);
  equal((await exact.verify(payment, offer)).invalidReason, "invalid_exact_evm_nonce_already_used");
});

const exactOffer = requirements("exact", 1000, { assetTransferMethod: "permit2" });
const exactProxy = viaProxy(evm.x402ExactPermit2ProxyABI, EXACT_PROXY);
await refused("exact, Permit2: no allowance", "permit2_allowance_required", async () =>
  exact.verify(await pay(exactClient, exactOffer), exactOffer),
);
let exactPayment;
await works("exact, Permit2: gas sponsored by EIP-2612", async () => {
  exactPayment = await pay(exactClient, exactOffer, true);
  equal(Object.keys(exactPayment.extensions), ["eip2612GasSponsoring"]);
  const before = await balanceOf(payee.address);
  succeeded(await exact.verify(exactPayment, exactOffer));
  succeeded(await exact.settle(exactPayment, exactOffer));
  equal((await balanceOf(payee.address)) - before, 1000n);
});
await send(payer, TOKEN, "approve", PERMIT2, 2n ** 256n - 1n);
await refused("exact, Permit2: replay, by the SDK", "permit2_simulation_failed", () =>
  exact.verify(exactPayment, exactOffer),
);
await refused("exact, Permit2: replay", "InvalidNonce", () =>
  exactProxy(stranger, "settle", exactArgs(exactPayment.payload)),
);
const exactFresh = (await pay(exactClient, exactOffer)).payload;
for (const [name, reason, changes] of [
  ["another payee", "InvalidSigner", { witness: { to: stranger.address } }],
  ["another validAfter", "InvalidSigner", { witness: { validAfter: 1n } }],
  ["another payer", "InvalidSigner", { owner: stranger.address }],
  ["too early", "PaymentTooEarly", { witness: { validAfter: inSeconds(1000) } }],
  ["payee zero", "InvalidDestination", { witness: { to: viem.zeroAddress } }],
  ["payer zero", "InvalidOwner", { owner: viem.zeroAddress }],
  ["high s", "InvalidSignature", { signature: highS(exactFresh.signature) }],
]) {
  await refused(`exact, Permit2: ${name}`, reason, () => exactProxy(settler, "settle", exactArgs(exactFresh, changes)));
}
await refused("exact, Permit2: amount zero", "InvalidAmount", async () => {
  const { payload } = await pay(exactClient, { ...exactOffer, amount: "0" });
  return exactProxy(settler, "settle", exactArgs(payload));
});
await refused("exact, Permit2: expired", "SignatureExpired", async () => {
  const { payload } = await pay(exactClient, { ...exactOffer, maxTimeoutSeconds: -1000 });
  return exactProxy(settler, "settle", exactArgs(payload));
});
await works("exact, Permit2: a standing allowance, anybody submits", async () => {
  const before = await balanceOf(payee.address);
  await exactProxy(stranger, "settle", exactArgs(exactFresh));
  equal((await balanceOf(payee.address)) - before, 1000n);
});
const permit2612 = ({ amount, deadline, signature }) => {
  const { r, s, v } = viem.parseSignature(signature);
  return { value: BigInt(amount), deadline: BigInt(deadline), r, s, v: Number(v) };
};
await send(payer, TOKEN, "approve", PERMIT2, 0n);
const sponsored = await pay(exactClient, exactOffer, true);
const sponsorship = sponsored.extensions.eip2612GasSponsoring.info;
await refused("exact, Permit2: a permit of another amount", "Permit2612AmountMismatch", () =>
  exactProxy(settler, "settleWithPermit", [
    { ...permit2612(sponsorship), value: 999n },
    ...exactArgs(sponsored.payload),
  ]),
);
await refused("exact, Permit2: a permit that fails, no allowance", "TRANSFER_FROM_FAILED", () =>
  exactProxy(settler, "settleWithPermit", [
    { ...permit2612(sponsorship), deadline: 1n },
    ...exactArgs(sponsored.payload),
  ]),
);
await works("exact, Permit2: a permit that somebody used before", async () => {
  const { amount, deadline, signature } = sponsorship;
  await send(stranger, TOKEN, "permit", payer.address, PERMIT2, BigInt(amount), BigInt(deadline), signature);
  await exactProxy(settler, "settleWithPermit", [permit2612(sponsorship), ...exactArgs(sponsored.payload)]);
});
