// Pays for calls with the stock x402 client for fetch, and prints what each got as one line of JSON.
//
//   KEY=0x… node pay.mjs URL [BODY…]
//
// Every body is one call, made after the one before; without a body, the URL is fetched once.
//   SCHEME      exact (default), upto or batch-settlement
//   RPC         JSON-RPC of the chain: `upto` reads the nonce of its permit there, `batch-settlement` its channel
//   PAYMENT_ID  the payment-identifier that goes with every payment
//   SIGN_IN     signs in with the wallet before paying, where the server lets those in who paid
//   REFUND      afterwards asks for what is left of the channel: `all` or an amount; one more line

import { decodePaymentResponseHeader, wrapFetchWithPayment } from "@x402/fetch";
import { privateKeyToAccount } from "viem/accounts";

import { said, stock } from "./stock.mjs";

const [url, ...bodies] = process.argv.slice(2);
const { KEY, SCHEME = "exact", RPC, PAYMENT_ID, SIGN_IN, REFUND } = process.env;
const { scheme, http } = stock(SCHEME, privateKeyToAccount(KEY), { rpc: RPC, paymentId: PAYMENT_ID, signIn: SIGN_IN });
const pay = wrapFetchWithPayment(fetch, http);

const headers = { "content-type": "application/json" };
const calls = bodies.length ? bodies.map((body) => ({ method: "POST", headers, body })) : [{}];
for (const call of calls) {
  const response = await pay(url, call);
  const settlement = response.headers.get("PAYMENT-RESPONSE");
  console.log(
    JSON.stringify({
      status: response.status,
      body: await said(response),
      settlement: settlement && decodePaymentResponseHeader(settlement),
    }),
  );
}
if (REFUND) {
  const refund = await scheme.refund(url, REFUND === "all" ? {} : { amount: REFUND });
  console.log(JSON.stringify({ refund }));
}
