// Pays for one call with the stock x402 client for fetch, and prints what it got as one line of JSON.
// Usage: KEY=0x… node pay.mjs URL BODY

import { decodePaymentResponseHeader, wrapFetchWithPaymentFromConfig } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm";
import { privateKeyToAccount } from "viem/accounts";

const [url, body] = process.argv.slice(2);
const client = new ExactEvmScheme(privateKeyToAccount(process.env.KEY));
const pay = wrapFetchWithPaymentFromConfig(fetch, { schemes: [{ network: "eip155:*", client }] });
const headers = { "content-type": "application/json" };
const response = await pay(url, { method: "POST", headers, body });
const settlement = response.headers.get("PAYMENT-RESPONSE");
console.log(
  JSON.stringify({
    status: response.status,
    body: await response.json(),
    settlement: settlement && decodePaymentResponseHeader(settlement),
  }),
);
