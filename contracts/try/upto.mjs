// The scheme `upto`.
import { equal, reasonOf, refused, works } from "./cases.mjs";
import {
  NETWORK,
  PERMIT2,
  TOKEN,
  UPTO_PROXY,
  balanceOf,
  payee,
  payer,
  send,
  settler,
  stranger,
  url,
} from "./chain.mjs";
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

const uptoClient = new client.Upto(signerOf(payer), { rpcUrl: url });
const upto = new facilitator.Upto(settlerSigner);
const uptoOffer = requirements("upto", 50_000, upto.getExtra(NETWORK));
const uptoArgs = (payload, amount, changes = {}) => {
  const [permit, owner, witness, signature] = exactArgs(payload, changes);
  return [permit, amount, owner, witness, signature];
};
const uptoProxy = viaProxy(evm.x402UptoPermit2ProxyABI, UPTO_PROXY);
await refused("upto: no allowance", "permit2_allowance_required", async () =>
  upto.verify(await pay(uptoClient, uptoOffer), uptoOffer),
);
let uptoPayment;
await works("upto: gas sponsored by EIP-2612, 1234 of 50000", async () => {
  uptoPayment = await pay(uptoClient, uptoOffer, true);
  equal(Object.keys(uptoPayment.extensions), ["eip2612GasSponsoring"]);
  const before = await balanceOf(payee.address);
  succeeded(await upto.verify(uptoPayment, uptoOffer));
  equal(succeeded(await upto.settle(uptoPayment, { ...uptoOffer, amount: "1234" })).amount, "1234");
  equal((await balanceOf(payee.address)) - before, 1234n);
});
await send(payer, TOKEN, "approve", PERMIT2, 2n ** 256n - 1n);
await refused("upto: replay, by the SDK", "permit2_simulation_failed", () =>
  upto.settle(uptoPayment, { ...uptoOffer, amount: "1" }),
);
await refused("upto: replay", "InvalidNonce", () => uptoProxy(settler, "settle", uptoArgs(uptoPayment.payload, 1n)));
uptoPayment = await pay(uptoClient, uptoOffer);
await refused("upto: above the ceiling, by the SDK", "invalid_upto_evm_payload_settlement_exceeds_amount", () =>
  upto.settle(uptoPayment, { ...uptoOffer, amount: "50001" }),
);
await refused("upto: signed for another facilitator, by the SDK", "upto_facilitator_mismatch", async () => {
  const offer = requirements("upto", 50_000, { facilitatorAddress: stranger.address });
  return upto.verify(await pay(uptoClient, offer), offer);
});
for (const [name, reason, who, amount, changes] of [
  ["above the ceiling", "AmountExceedsPermitted", settler, 50_001n, {}],
  ["wrong facilitator", "UnauthorizedFacilitator", stranger, 1n, {}],
  ["a facilitator who names himself", "InvalidSigner", stranger, 1n, { witness: { facilitator: stranger.address } }],
  ["another payee", "InvalidSigner", settler, 1n, { witness: { to: settler.address } }],
  ["another payer", "InvalidSigner", settler, 1n, { owner: stranger.address }],
  ["too early", "PaymentTooEarly", settler, 1n, { witness: { validAfter: inSeconds(1000) } }],
  ["payee zero", "InvalidDestination", settler, 1n, { witness: { to: viem.zeroAddress } }],
  ["payer zero", "InvalidOwner", settler, 1n, { owner: viem.zeroAddress }],
  ["high s", "InvalidSignature", settler, 1n, { signature: highS(uptoPayment.payload.signature) }],
]) {
  await refused(`upto: ${name}`, reason, () =>
    uptoProxy(who, "settle", uptoArgs(uptoPayment.payload, amount, changes)),
  );
}
await refused("upto: expired", "SignatureExpired", async () => {
  const { payload } = await pay(uptoClient, { ...uptoOffer, maxTimeoutSeconds: -1000 });
  return uptoProxy(settler, "settle", uptoArgs(payload, 1n));
});
await refused("upto: a payment for the exact proxy", "InvalidSigner", async () => {
  const exactOffer = requirements("exact", 1000, { assetTransferMethod: "permit2" });
  const { payload } = await pay(new client.Exact(signerOf(payer)), exactOffer);
  return uptoProxy(settler, "settle", uptoArgs(payload, 1n, { witness: { facilitator: settler.address } }));
});
await works("upto: zero makes no transaction, by the SDK", async () =>
  equal(succeeded(await upto.settle(uptoPayment, { ...uptoOffer, amount: "0" })).transaction, ""),
);
await works("upto: a standing allowance, the whole ceiling", async () => {
  const before = await balanceOf(payee.address);
  succeeded(await upto.settle(uptoPayment, uptoOffer));
  equal((await balanceOf(payee.address)) - before, 50_000n);
});
await works("upto: zero uses up the payment", async () => {
  const { payload } = await pay(uptoClient, uptoOffer);
  await uptoProxy(settler, "settle", uptoArgs(payload, 0n));
  await uptoProxy(settler, "settle", uptoArgs(payload, 1n)).then(
    () => equal("settled twice", "refused"),
    (error) => equal(reasonOf(error), "InvalidNonce"),
  );
});
await send(payer, TOKEN, "approve", PERMIT2, 0n);
