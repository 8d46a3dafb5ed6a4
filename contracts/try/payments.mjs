// What servers offer and clients send.
import { NETWORK, TOKEN, chain, payee, settler } from "./chain.mjs";
import { ERRORS } from "./abi.mjs";
import { evm, viem } from "./stock.mjs";

export const inSeconds = (seconds) => BigInt(Math.floor(Date.now() / 1000) + seconds);
/// The other signature of the same message, with the high s.
export const highS = (signature) => {
  const { r, s, yParity } = viem.parseSignature(signature);
  const n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
  return viem.serializeSignature({ r, s: viem.toHex(n - BigInt(s), { size: 32 }), yParity: 1 - yParity });
};
export const requirements = (scheme, amount, extra = {}) => ({
  scheme,
  network: NETWORK,
  asset: TOKEN,
  amount: `${amount}`,
  payTo: payee.address,
  maxTimeoutSeconds: 300,
  extra: { name: "USDC", version: "2", ...extra },
});
/// What a client sends for an offer.
export const pay = async (scheme, accepted, sponsored) => {
  const context = sponsored ? { extensions: { eip2612GasSponsoring: {} } } : {};
  return { ...(await scheme.createPaymentPayload(2, accepted, context)), accepted };
};
export const succeeded = (answer) => {
  if (!(answer.isValid ?? answer.success)) throw new Error(JSON.stringify(answer));
  return answer;
};
export const signerOf = (who) => evm.toClientEvmSigner(who.account, chain);
export const settlerSigner = evm.toFacilitatorEvmSigner(settler);

/// The arguments of the exact proxy for a Permit2 payload, some of them changed.
export const exactArgs = ({ permit2Authorization: permit, signature }, changes = {}) => [
  {
    permitted: { token: permit.permitted.token, amount: BigInt(permit.permitted.amount) },
    nonce: BigInt(permit.nonce),
    deadline: BigInt(permit.deadline),
  },
  changes.owner ?? permit.from,
  { ...permit.witness, validAfter: BigInt(permit.witness.validAfter), ...changes.witness },
  changes.signature ?? signature,
];
export const viaProxy = (abi, address) => async (who, functionName, args) => {
  const { request } = await who.simulateContract({ address, abi: [...abi, ...ERRORS], functionName, args });
  await who.waitForTransactionReceipt({ hash: await who.writeContract(request) });
};
