// Permit2 alone, without a witness.
import { equal, refused, works } from "./cases.mjs";
import { PERMIT2, TOKEN, balanceOf, payee, payer, read, send, settler, stranger } from "./chain.mjs";
import { highS, inSeconds } from "./payments.mjs";
import { evm, viem } from "./stock.mjs";

const permitTypes = {
  PermitTransferFrom: [
    { name: "permitted", type: "TokenPermissions" },
    { name: "spender", type: "address" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
  TokenPermissions: evm.permit2WitnessTypes.TokenPermissions,
};
const permit2Domain = { name: "Permit2", chainId: 84532, verifyingContract: PERMIT2 };
const permitFor = async (nonce, { who = payer, deadline = inSeconds(300), amount = 500n } = {}) => {
  const permit = { permitted: { token: TOKEN, amount }, nonce, deadline };
  const signature = await who.account.signTypedData({
    domain: permit2Domain,
    types: permitTypes,
    primaryType: "PermitTransferFrom",
    message: { ...permit, spender: settler.address },
  });
  return { permit, signature };
};
const transfer = ({ permit, signature }, { as = settler, amount = 500n, to = payee.address } = {}) =>
  send(as, PERMIT2, "permitTransferFrom", permit, { to, requestedAmount: amount }, payer.address, signature);

await works("permit2: signs under the domain of the chain", async () =>
  equal(await read(PERMIT2, "DOMAIN_SEPARATOR"), viem.domainSeparator({ domain: permit2Domain })),
);
const unapproved = await permitFor(1n);
await refused("permit2: no allowance", "TRANSFER_FROM_FAILED", () => transfer(unapproved));
await send(payer, TOKEN, "approve", PERMIT2, 2n ** 256n - 1n);
await works("permit2: transfers what was asked for", async () => {
  const before = await balanceOf(payee.address);
  await transfer(unapproved, { amount: 123n });
  equal((await balanceOf(payee.address)) - before, 123n);
});
await works("permit2: marks the nonce", async () => equal(await read(PERMIT2, "nonceBitmap", payer.address, 0n), 2n));
await refused("permit2: replay", "InvalidNonce", () => transfer(unapproved));
const good = await permitFor(300n);
await refused("permit2: more than was signed", "InvalidAmount", () => transfer(good, { amount: 501n }));
await refused("permit2: expired", "SignatureExpired", async () => transfer(await permitFor(2n, { deadline: 1n })));
await refused("permit2: another's signature", "InvalidSigner", async () =>
  transfer(await permitFor(2n, { who: stranger })),
);
await refused("permit2: another spender", "InvalidSigner", () => transfer(good, { as: stranger }));
await refused("permit2: other terms", "InvalidSigner", () =>
  transfer({ ...good, permit: { ...good.permit, permitted: { token: TOKEN, amount: 9999n } } }),
);
await refused("permit2: high s", "InvalidSignature", () => transfer({ ...good, signature: highS(good.signature) }));
await refused("permit2: a signature of 66 bytes", "InvalidSignatureLength", () =>
  transfer({ ...good, signature: `${good.signature}00` }),
);
await refused("permit2: no token there", "TRANSFER_FROM_FAILED", async () => {
  const permit = { permitted: { token: stranger.address, amount: 1n }, nonce: 7n, deadline: inSeconds(300) };
  const message = { ...permit, spender: settler.address };
  const types = permitTypes;
  const signature = await payer.account.signTypedData({
    domain: permit2Domain,
    types,
    primaryType: "PermitTransferFrom",
    message,
  });
  return transfer({ permit, signature }, { amount: 1n });
});
await works("permit2: takes the 64 bytes of EIP-2098", () =>
  transfer({
    ...good,
    signature: viem.serializeCompactSignature(viem.signatureToCompactSignature(viem.parseSignature(good.signature))),
  }),
);
await works("permit2: an owner invalidates nonces", () => send(payer, PERMIT2, "invalidateUnorderedNonces", 2n, 1n));
await refused("permit2: an invalidated nonce", "InvalidNonce", async () => transfer(await permitFor(512n)));
await send(payer, TOKEN, "approve", PERMIT2, 0n);
