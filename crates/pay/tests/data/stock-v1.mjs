// Writes stock-v1.json: what the stock package of x402 version 1 reads and signs, with a throw-away key.
// Run: node stock-v1.mjs FOLDER > stock-v1.json
// FOLDER has node_modules with x402 1.2.0 and viem.
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[2]) + '/');
const { PaymentRequirementsSchema, PaymentPayloadSchema, SettleResponseSchema, EvmNetworkToChainId, evm } = require('x402/types');
const { createPaymentHeader } = require('x402/client');
const { decodeXPaymentResponse } = require('x402/shared');

const NOW_S = 1_800_000_000;
Date.now = () => NOW_S * 1000;
globalThis.crypto.getRandomValues = (bytes) => bytes.fill(0x41);

const KEY = '0x1111111111111111111111111111111111111111111111111111111111111111';
const PAYEE = '0x17c5185167401eD00cF5F5b2fc97D9BBfDb7D025';
const asked = {
  scheme: 'exact', network: 'base-sepolia', maxAmountRequired: '2000', resource: 'http://127.0.0.1:8402/v1/call',
  description: 'A call', mimeType: 'application/json', payTo: PAYEE, maxTimeoutSeconds: 600,
  asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', extra: { name: 'USDC', version: '2' },
};
const read = PaymentRequirementsSchema.parse(asked);
const header = await createPaymentHeader(evm.createSignerSepolia(KEY), 1, read);
PaymentPayloadSchema.parse(JSON.parse(Buffer.from(header, 'base64').toString()));
const response = {
  success: true, payer: PAYEE, transaction: '0x' + '5a'.repeat(32), network: 'base-sepolia',
};
SettleResponseSchema.parse(response);
const told = Buffer.from(JSON.stringify(response)).toString('base64');

console.log(JSON.stringify({
  about: 'What the stock package of x402 version 1 reads and signs, with a throw-away key; see stock-v1.mjs.',
  made_by: 'npm x402 1.2.0', now_s: NOW_S, key: KEY,
  required: { x402Version: 1, error: 'a payment is needed', accepts: [read] },
  header, response: decodeXPaymentResponse(told), networks: Object.fromEntries(EvmNetworkToChainId),
}, null, 1));
