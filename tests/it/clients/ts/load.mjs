// Measures paid calls: signs everything first, then sends, and prints one line of JSON:
// {scheme, count, concurrency, ok, statuses, p50_ms, p95_ms, wall_s, per_s, server_cpu_s}.
//
//   RPC=http://… node load.mjs URL SCHEME COUNT CONCURRENCY [PID]
//
// SCHEME is exact, upto, batch-settlement or credit. PID is the server's: its processor time is read from /proc, its
// children's left out. Each of CONCURRENCY clients has a wallet of its own and sends one call after the other, so that
// a channel sees its vouchers in order. Offers, signatures, the deposits of channels and one call each to warm up are
// not measured.
//   BODY    what is posted; {i} is the number of the call (default {"i":{i}})
//   CHARGE  what a call is charged by batch-settlement (default what it offers)
//   TOKEN   for credit: the token of an account, sent as bearer
//   FAUCET  a registry's faucet, where no anvil mints

import { readFileSync } from "node:fs";
import { encodeFunctionData, erc20Abi, maxUint256, toHex } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

import { ADDRESSES, fund, mined, rpc } from "./place.mjs";
import { said, stock } from "./stock.mjs";

const [url, scheme, countText, concurrencyText, pid] = process.argv.slice(2);
const [count, concurrency] = [Number(countText), Number(concurrencyText)];
const { RPC, BODY = '{"i":{i}}', CHARGE, TOKEN, FAUCET } = process.env;

let number = 0;
const nextBody = () => BODY.replaceAll("{i}", `${number++}`);
const post = (body, headers = {}) =>
  fetch(url, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
/// A call, signed for its own offer.
const sign = async ({ client, http }) => {
  const body = nextBody();
  const response = await post(body);
  const required = http.getPaymentRequiredResponse((name) => response.headers.get(name), await said(response));
  const payload = await client.createPaymentPayload(required);
  return { body, payload, headers: http.encodePaymentSignatureHeader(payload) };
};
/// What a channel's client learns from the answer to a payment, told before it is sent.
const charged = ({ scheme }, { payload }) =>
  scheme.schemeHooks.onPaymentResponse({
    settleResponse: { success: true, extra: { chargedAmount: CHARGE ?? payload.accepted.amount } },
    paymentPayload: payload,
    requirements: payload.accepted,
  });
/// Lets Permit2 take from an account: a permit for each payment could not be signed before the one before was used.
const allow = async (account) => {
  if (!FAUCET) await rpc(RPC, "anvil_setBalance", account.address, toHex(10n ** 18n));
  const data = encodeFunctionData({ abi: erc20Abi, functionName: "approve", args: [ADDRESSES.permit2, maxUint256] });
  const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 10n ** 9n, gas: 100_000n };
  const call = { chainId: 84532, type: "eip1559", nonce: 0, to: ADDRESSES.token, data, ...fees };
  await mined(RPC, await rpc(RPC, "eth_sendRawTransaction", await account.signTransaction(call)));
};
const expectOk = async (response) => {
  if (!response.ok) throw new Error(`${response.status}: ${JSON.stringify(await said(response))}`);
};

/// The calls of one client, ready to be sent.
const prepare = async (calls) => {
  if (scheme === "credit") {
    const headers = { authorization: `Bearer ${TOKEN}` };
    await expectOk(await post(nextBody(), headers));
    return Array.from({ length: calls }, () => ({ body: nextBody(), headers }));
  }
  const account = privateKeyToAccount(generatePrivateKey());
  await fund(RPC, [account.address], 900_000_000n);
  if (scheme === "upto") await allow(account);
  // One deposit carries every call.
  const depositStrategy = ({ requestAmount }) => BigInt(requestAmount) * BigInt(calls + 1);
  const payer = stock(scheme, account, { rpc: RPC, depositStrategy });
  const batch = scheme === "batch-settlement";
  const first = await sign(payer);
  await expectOk(await post(first.body, first.headers));
  if (batch) await charged(payer, first);
  const ready = [];
  for (let call = 0; call < calls; call++) {
    const signed = await sign(payer);
    if (batch) await charged(payer, signed);
    ready.push(signed);
  }
  return ready;
};

/// Seconds of processor time that the server used so far; proc counts in hundredths.
const cpu = () => {
  if (!pid) return null;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
};

const share = (client) => Math.floor(count / concurrency) + (client < count % concurrency ? 1 : 0);
const clients = [];
for (let client = 0; client < concurrency; client++) clients.push(await prepare(share(client)));

const times = [];
const statuses = {};
const [cpuBefore, begin] = [cpu(), performance.now()];
await Promise.all(
  clients.map(async (calls) => {
    for (const { body, headers } of calls) {
      const sent = performance.now();
      const response = await post(body, headers);
      await response.arrayBuffer();
      times.push(performance.now() - sent);
      statuses[response.status] = (statuses[response.status] ?? 0) + 1;
    }
  }),
);
const wall = (performance.now() - begin) / 1000;
const used = pid ? Number((cpu() - cpuBefore).toFixed(2)) : null;
times.sort((a, b) => a - b);
const at = (part) => Number(times[Math.min(times.length - 1, Math.floor(times.length * part))].toFixed(1));
console.log(
  JSON.stringify({
    scheme,
    count,
    concurrency,
    ok: statuses[200] ?? 0,
    statuses,
    p50_ms: at(0.5),
    p95_ms: at(0.95),
    wall_s: Number(wall.toFixed(2)),
    per_s: Number((count / wall).toFixed(1)),
    server_cpu_s: used,
  }),
);
