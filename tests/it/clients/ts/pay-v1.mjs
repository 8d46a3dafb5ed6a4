// Pays for one call with the stock client of x402 version 1, and prints what it got as one line of JSON.
// Usage: KEY=0x… node pay-v1.mjs URL BODY

import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";
import { decodeXPaymentResponse, wrapFetchWithPayment } from "x402-fetch";

import { said } from "./stock.mjs";

const [url, body] = process.argv.slice(2);
const account = privateKeyToAccount(process.env.KEY);
const wallet = createWalletClient({ account, chain: baseSepolia, transport: http() });
const pay = wrapFetchWithPayment(fetch, wallet);
const response = await pay(url, { method: "POST", headers: { "content-type": "application/json" }, body });
const settlement = response.headers.get("X-PAYMENT-RESPONSE");
console.log(
  JSON.stringify({
    status: response.status,
    body: await said(response),
    settlement: settlement && decodeXPaymentResponse(settlement),
  }),
);
