// Writes stock-schemes.json: payments of every scheme, made by the stock SDK with throw-away keys.
// Run: node stock-schemes.mjs FOLDER > stock-schemes.json
// FOLDER has node_modules with @x402/evm 2.27.0, @x402/core 2.27.0 and viem 2.57.0.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[2]) + '/');
const evm = require('@x402/evm');
const { ExactEvmScheme } = require('@x402/evm/exact/client');
const { UptoEvmScheme } = require('@x402/evm/upto/client');
const { BatchSettlementEvmScheme, computeChannelId } = require('@x402/evm/batch-settlement/client');
const { hashTypedData } = require('viem');
const { privateKeyToAccount } = require('viem/accounts');

// The same time and the same random bytes each run, so that the file changes only when the SDK does.
const NOW_S = 1_800_000_000;
Date.now = () => NOW_S * 1000 + 250;
let drawn = 0;
globalThis.crypto.getRandomValues = (bytes) => bytes.fill(0x41 + drawn++ % 0x40);

const PAYER = '0x1111111111111111111111111111111111111111111111111111111111111111';
const AUTHORIZER = '0x2222222222222222222222222222222222222222222222222222222222222222';
const OPERATOR = '0x3333333333333333333333333333333333333333333333333333333333333333';
const NETWORK = 'eip155:84532';
const TOKEN = '0x036CbD53842c5426634e7929541eC2318f3dCF7e';
const PAYEE = '0x17c5185167401eD00cF5F5b2fc97D9BBfDb7D025';

/** A signer that writes down what it signs, and reads from a chain that answers `reads`. */
function signer(key, reads = {}) {
  const account = privateKeyToAccount(key);
  const signed = [];
  return {
    signed,
    address: account.address,
    async signTypedData(typed) {
      const signature = await account.signTypedData(typed);
      signed.push({ type: typed.primaryType, digest: hashTypedData(typed), signature, signer: account.address });
      return signature;
    },
    readContract: async ({ functionName }) => {
      if (!(functionName in reads)) throw new Error(`no answer for ${functionName}`);
      return reads[functionName];
    },
  };
}

const offer = (scheme, extra, amount = '50000') => ({
  scheme, network: NETWORK, amount, asset: TOKEN, payTo: PAYEE, maxTimeoutSeconds: 600,
  extra: { name: 'USDC', version: '2', ...extra },
});

const operator = privateKeyToAccount(OPERATOR);
const SPONSORED = { eip2612GasSponsoring: { info: { description: 'd', version: '1' }, schema: {} } };
const fresh = { allowance: 0n, nonces: 3n, channels: [0n, 0n] };
const vectors = [];

function keep(name, payer, offered, made, others = []) {
  vectors.push({
    name,
    signed: [...payer.signed, ...others.flatMap((other) => other.signed)],
    payload: { x402Version: 2, accepted: offered, ...made },
  });
}

async function pay(name, Scheme, offered, extensions, reads = fresh) {
  const payer = signer(PAYER, reads);
  const { payload, extensions: added } = await new Scheme(payer).createPaymentPayload(2, offered, { extensions });
  // As the stock client does: the scheme adds to what the server said.
  const merged = added && Object.fromEntries(
    Object.entries(added).map(([key, { info }]) => [key, { ...extensions[key], info: { ...info, ...extensions[key].info } }]),
  );
  keep(name, payer, offered, { payload, ...(merged ? { extensions: merged } : {}) });
}

const permit2 = { assetTransferMethod: 'permit2' };
await pay('exact by permit2', ExactEvmScheme, offer('exact', permit2));
await pay('exact by permit2, gasless', ExactEvmScheme, offer('exact', permit2), SPONSORED);
const upto = offer('upto', { ...permit2, facilitatorAddress: operator.address });
await pay('upto', UptoEvmScheme, upto);
await pay('upto, gasless', UptoEvmScheme, upto, SPONSORED);

const terms = { receiverAuthorizer: operator.address, withdrawDelay: 86400, minDeposit: '500000' };
const batch = offer('batch-settlement', terms);
await pay('batch deposit', BatchSettlementEvmScheme, batch);
const by_permit2 = offer('batch-settlement', { ...terms, ...permit2 });
await pay('batch deposit by permit2', BatchSettlementEvmScheme, by_permit2);
await pay('batch deposit by permit2, gasless', BatchSettlementEvmScheme, by_permit2, SPONSORED);
await pay('batch voucher', BatchSettlementEvmScheme, batch, undefined, { channels: [500000n, 120000n] });

{
  const payer = signer(PAYER, fresh);
  const voucherSigner = signer(AUTHORIZER);
  const scheme = new BatchSettlementEvmScheme(payer, { voucherSigner, salt: '0x' + '5a'.repeat(32) });
  const { payload } = await scheme.createPaymentPayload(2, batch);
  keep('batch deposit with a second key', payer, batch, { payload }, [voucherSigner]);
}

for (const amount of [undefined, '1000']) {
  const payer = signer(PAYER, { channels: [500000n, 120000n] });
  const required = Buffer.from(JSON.stringify({
    x402Version: 2, resource: { url: 'http://127.0.0.1/x' }, accepts: [batch],
  })).toString('base64');
  let sent;
  const fetch = async (url, { headers }) => {
    sent ??= headers && Object.values(headers)[0];
    return new Response('', { status: 402, headers: { 'PAYMENT-REQUIRED': required } });
  };
  await new BatchSettlementEvmScheme(payer).refund('http://127.0.0.1/x', { fetch, amount }).catch(() => {});
  const { payload } = JSON.parse(Buffer.from(sent, 'base64').toString());
  payer.signed.splice(1);
  keep(amount ? 'batch refund of a part' : 'batch refund', payer, batch, { payload });
}

// What the operator signs, with the types that the SDK exports.
const domain = { ...evm.BATCH_SETTLEMENT_DOMAIN, chainId: 84532, verifyingContract: evm.BATCH_SETTLEMENT_ADDRESS };
const channelConfig = vectors.find(({ name }) => name === 'batch deposit').payload.payload.channelConfig;
const channelId = computeChannelId(channelConfig, NETWORK);
const claims = [
  { channelId, maxClaimableAmount: 170000n, totalClaimed: 169999n },
  { channelId: '0x' + '77'.repeat(32), maxClaimableAmount: 2n ** 128n - 1n, totalClaimed: 0n },
];
const boss = signer(OPERATOR);
await boss.signTypedData({ domain, types: evm.claimBatchTypes, primaryType: 'ClaimBatch', message: { claims } });
await boss.signTypedData({ domain, types: evm.claimBatchTypes, primaryType: 'ClaimBatch', message: { claims: [] } });
await boss.signTypedData({
  domain, types: evm.refundTypes, primaryType: 'Refund', message: { channelId, nonce: 7n, amount: 1000n },
});

const text = (_, value) => (typeof value === 'bigint' ? value.toString() : value);
console.log(JSON.stringify({
  about: 'Payments of every scheme, made by the stock SDK with throw-away keys; see stock-schemes.mjs.',
  made_by: 'npm @x402/evm 2.27.0, viem 2.57.0',
  now_s: NOW_S,
  keys: { payer: PAYER, authorizer: AUTHORIZER, operator: OPERATOR },
  sponsored: SPONSORED,
  payments: vectors,
  channel_id: channelId,
  claims,
  operator: boss.signed,
}, text, 1));
