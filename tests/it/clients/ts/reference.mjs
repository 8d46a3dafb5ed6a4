// The stock x402 server: @x402/express as its readme sets it up, with the SDK's facilitator in the same process.
//
//   RPC=http://… node reference.mjs       an anvil that place.mjs prepared
//
// Sells POST /exact, /upfront, /upto and /batch; GET /runs says how often each handler ran. A body {"charge": N} has
// /upto and /batch settle N instead of everything. Prints {"url", "pid", "payTo"} when it listens.
//   PORT=0          where it listens
//   NONCE_MANAGER=1 numbers its transactions itself, which the SDK does not
//   FACILITATOR=URL leaves chain and keys to a facilitator over HTTP; then without RPC, /upfront and /batch

import { x402Facilitator } from "@x402/core/facilitator";
import { HTTPFacilitatorClient } from "@x402/core/server";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { BatchSettlementEvmScheme as BatchFacilitator } from "@x402/evm/batch-settlement/facilitator";
import { BatchSettlementEvmScheme as BatchServer } from "@x402/evm/batch-settlement/server";
import { ExactEvmScheme as ExactFacilitator } from "@x402/evm/exact/facilitator";
import { ExactEvmScheme as ExactServer } from "@x402/evm/exact/server";
import { UptoEvmScheme as UptoFacilitator } from "@x402/evm/upto/facilitator";
import { UptoEvmScheme as UptoServer } from "@x402/evm/upto/server";
import { paymentMiddleware, setSettlementOverrides, x402ResourceServer } from "@x402/express";
import { EIP2612_GAS_SPONSORING } from "@x402/extensions";
import { declarePaymentIdentifierExtension, PAYMENT_IDENTIFIER } from "@x402/extensions/payment-identifier";
import express from "express";
import { createWalletClient, http, keccak256, publicActions, toBytes, toHex } from "viem";
import { nonceManager, privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";

import { TOKEN, rpc } from "./place.mjs";

const { RPC, PORT = "0", NONCE_MANAGER, FACILITATOR } = process.env;
const NETWORK = "eip155:84532";
const accountOf = (name, options) => privateKeyToAccount(keccak256(toBytes(name)), options);
const authorizer = accountOf("authorizer");
const payTo = accountOf("payee").address;

// The SDK's own facilitator, which settles through a node.
async function embedded() {
  const settler = accountOf("settler", NONCE_MANAGER && { nonceManager });
  await rpc(RPC, "anvil_setBalance", settler.address, toHex(10n ** 21n));
  // Polling faster than every 500 ms is kinder to it than viem's own default.
  const wallet = createWalletClient({
    account: settler,
    chain: baseSepolia,
    transport: http(RPC),
    pollingInterval: 50,
  }).extend(publicActions);
  const signer = toFacilitatorEvmSigner(Object.assign(wallet, { address: settler.address }));
  const facilitator = new x402Facilitator()
    .register(NETWORK, new ExactFacilitator(signer))
    .register(NETWORK, new UptoFacilitator(signer))
    .register(NETWORK, new BatchFacilitator(signer, authorizer))
    .registerExtension(EIP2612_GAS_SPONSORING);
  return {
    verify: (payload, requirements) => facilitator.verify(payload, requirements),
    settle: (payload, requirements) => facilitator.settle(payload, requirements),
    getSupported: async () => facilitator.getSupported(),
  };
}

const facilitator = FACILITATOR ? new HTTPFacilitatorClient({ url: FACILITATOR }) : await embedded();
const resources = new x402ResourceServer(facilitator)
  .register(NETWORK, new ExactServer())
  .register(NETWORK, new UptoServer())
  .register(NETWORK, new BatchServer(payTo, { receiverAuthorizerSigner: authorizer }));

const route = (scheme, amount, extra = {}) => ({
  accepts: {
    scheme,
    network: NETWORK,
    payTo,
    price: { amount, asset: TOKEN, extra: { name: "USDC", version: "2", ...extra } },
    maxTimeoutSeconds: 300,
    extra,
  },
  description: "one call",
  extensions: {
    [PAYMENT_IDENTIFIER]: declarePaymentIdentifierExtension(),
    ...(scheme === "upto" && { eip2612GasSponsoring: {} }),
  },
});
const routes = {
  "/exact": route("exact", "2000"),
  "/upto": route("upto", "50000"),
  ...(!FACILITATOR && {
    "/upfront": route("exact", "2000", { paymentFlow: "upfront" }),
    "/batch": route("batch-settlement", "1000"),
  }),
};

const runs = Object.fromEntries(Object.keys(routes).map((path) => [path, 0]));
const app = express();
app.use(express.json());
app.get("/runs", (_, response) => response.json(runs));
app.use(paymentMiddleware(routes, resources));
for (const path of Object.keys(routes)) {
  app.post(path, ({ body }, response) => {
    runs[path] += 1;
    if (body?.charge !== undefined) setSettlementOverrides(response, { amount: `${body.charge}` });
    response.json({ run: runs[path] });
  });
}
const server = app.listen(Number(PORT), "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  console.log(JSON.stringify({ url, pid: process.pid, payTo }));
});
