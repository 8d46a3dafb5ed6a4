// Writes stock-extensions.json: what the stock package declares, signs and answers, with throw-away keys.
// Run: node stock-extensions.mjs FOLDER > stock-extensions.json
// FOLDER has node_modules with @x402/extensions 2.27.0 and viem 2.57.0.
import { createPrivateKey, sign } from 'node:crypto';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(resolve(process.argv[2]) + '/');
const x402 = require('@x402/extensions');
const { privateKeyToAccount } = require('viem/accounts');
const { base58 } = require('@scure/base');

const NOW_S = 1_800_000_000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) { args.length ? super(...args) : super(NOW_S * 1000); }
  static now() { return NOW_S * 1000; }
};
let drawn = 0;
globalThis.crypto.getRandomValues = (bytes) => bytes.fill(0x41 + drawn++ % 0x40);

const KEY = '0x3333333333333333333333333333333333333333333333333333333333333333';
const SEED = '44'.repeat(32);
const ORIGIN = 'https://registry.example:8402';
const URL_OF = `${ORIGIN}/v1/call?x=1`;
const account = privateKeyToAccount(KEY);

// Declarations.
const http = (method) => ({ method, adapter: { getPath: () => '/v1/call' }, routePattern: '/v1/call' });
const listed = (config, method) => x402.bazaarResourceServerExtension.enrichDeclaration(
  x402.declareDiscoveryExtension(config).bazaar, method && http(method),
);
const schema = { properties: { text: { type: 'string' } }, required: ['text'] };
const output = { example: { slug: 'a-b' }, schema: { properties: { slug: { type: 'string' } } } };
const tool = { toolName: 'slug', description: 'Makes a slug', transport: 'streamable-http', example: { text: 'a b' } };
const declarations = {
  identifier: x402.declarePaymentIdentifierExtension(false),
  identifier_required: x402.declarePaymentIdentifierExtension(true),
  sponsoring: x402.declareEip2612GasSponsoringExtension().eip2612GasSponsoring,
  bazaar_query: listed({ method: 'GET', input: { text: 'a b' }, inputSchema: schema, output }, 'GET'),
  bazaar_body: listed({ method: 'POST', bodyType: 'json', input: { text: 'a b' }, inputSchema: { type: 'object', ...schema }, output }, 'POST'),
  bazaar_tool: listed({ ...tool, inputSchema: { type: 'object', ...schema } }),
};

// An id that a client adds.
const identified = { 'payment-identifier': x402.declarePaymentIdentifierExtension(true) };
x402.appendPaymentIdentifierToExtensions(identified, 'order_2026-11-21-0001');

// Sign-ins.
const server = x402.createSIWxResourceServerExtension({ origin: ORIGIN, storage: new x402.InMemorySIWxStorage() });
const signIns = [];
for (const options of [{}, { statement: 'Let me in again.', expirationSeconds: 60 }]) {
  const declaration = x402.declareSIWxExtension(options)['sign-in-with-x'];
  const made = await server.enrichPaymentRequiredResponse(declaration, {
    resourceInfo: { url: URL_OF }, requirements: [{ network: 'eip155:84532' }],
  });
  const challenges = [made.info];
  if (options.statement) {
    challenges.push({ ...made.info, notBefore: made.info.issuedAt, requestId: 'r-1', resources: [URL_OF, ORIGIN] });
  }
  for (const info of challenges) {
    const answer = await x402.createSIWxPayload({ ...info, ...made.supportedChains[0] }, account, URL_OF);
    const { payer } = await x402.verifySIWxSignature(answer);
    signIns.push({ declaration: { ...made, info }, header: x402.encodeSIWxHeader(answer), payer });
  }
}

// Offers and receipts.
const secret = createPrivateKey({
  key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(SEED, 'hex')]),
  format: 'der', type: 'pkcs8',
});
const { x } = secret.export({ format: 'jwk' });
const kid = `did:key:z${base58.encode(Buffer.concat([Buffer.from([0xed, 1]), Buffer.from(x, 'base64url')]))}`;
const jws = x402.createJWSOfferReceiptIssuer(kid, {
  format: 'jws', algorithm: 'EdDSA', kid, sign: async (data) => sign(null, data, secret).toString('base64url'),
});
const eip712 = x402.createEIP712OfferReceiptIssuer(account.address, (typed) => account.signTypedData(typed));
const requirements = {
  scheme: 'exact', network: 'eip155:84532', amount: '2000', asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e',
  payTo: account.address, maxTimeoutSeconds: 300, extra: {},
};
const TRANSACTION = '0x' + '5a'.repeat(32);
const signed = [];
for (const issuer of [eip712, jws]) {
  const extension = x402.createOfferReceiptExtension(issuer);
  const offered = await extension.enrichPaymentRequiredResponse({}, {
    paymentRequiredResponse: { resource: { url: URL_OF } }, requirements: [requirements],
  });
  const settled = await extension.enrichSettlementResponse({ includeTxHash: true }, {
    result: { success: true, payer: account.address, network: 'eip155:84532', transaction: TRANSACTION },
    transportContext: { request: { adapter: { getUrl: () => URL_OF } } },
  });
  if (issuer === jws) {
    await x402.verifyOfferSignatureJWS(offered.info.offers[0]);
    await x402.verifyReceiptSignatureJWS(settled.info.receipt);
  }
  signed.push({ format: issuer.format, offered, settled });
}

console.log(JSON.stringify({
  about: 'What the stock package declares, signs and answers, with throw-away keys; see stock-extensions.mjs.',
  made_by: 'npm @x402/extensions 2.27.0, viem 2.57.0',
  now_s: NOW_S, key: KEY, address: account.address, seed: SEED, did: kid, origin: ORIGIN, url: URL_OF,
  declarations, identified, sign_ins: signIns, requirements, transaction: TRANSACTION, signed,
}, null, 1));
