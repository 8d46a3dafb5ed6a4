// What a paid server does when clients repeat themselves and the chain misbehaves. One line of JSON per row:
// {row, runs, paid, statuses, sound}; `runs` counts executions, `paid` counts prices that left the payers, and a row is
// sound when both are what was bought. Exits 1 when a row is not.
//
//   RPC=http://… node faults.mjs URL
//
// URL is asked by POST. Beside it, in the environment:
//   RPC        where balances are read, and an anvil is stalled and reorganized
//   UPFRONT    a URL that settles before it executes; without it, that row is left out
//   BODY       what is posted (default {})
//   RUNS       a URL that answers with the runs of each path as JSON; without it, runs are the different ids of calls
//              in the field `call` of the answers, and where an answer has none, answers
//   FAUCET     a registry's faucet, where no anvil mints
//   ROWS       words of the rows to run, between commas; all without it
//   SETTLE_MS  how long money may still move after a row (default 3000)
//   REORG_MS   the same after a reorganization (default 10000)
//   STALL, RESUME, REORG   commands that do it instead of anvil's own RPC

import { execSync } from "node:child_process";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

import { balanceOf, fund, rpc } from "./place.mjs";
import { said, stock } from "./stock.mjs";

const [url] = process.argv.slice(2);
const { RPC, UPFRONT, BODY = "{}", RUNS, SETTLE_MS = "3000", REORG_MS = "10000" } = process.env;
const { ROWS = "", STALL, RESUME, REORG } = process.env;
const sleep = (ms) => new Promise((later) => setTimeout(later, ms));
const act = (command, byAnvil) => (command ? execSync(command, { stdio: "inherit" }) : byAnvil());

const chain = {
  stall: () => act(STALL, () => rpc(RPC, "evm_setAutomine", false)),
  resume: () =>
    act(RESUME, async () => {
      await rpc(RPC, "evm_setAutomine", true);
      await rpc(RPC, "anvil_mine", "0x1");
    }),
  reorg: () => act(REORG, () => rpc(RPC, "anvil_reorg", 1, [])),
};

/// A payer of its own for every case, so that no case reads another's money.
const payers = async (count) => {
  const all = Array.from({ length: count }, () => {
    const account = privateKeyToAccount(generatePrivateKey());
    return { address: account.address, client: stock("exact", account, { rpc: RPC }) };
  });
  await fund(
    RPC,
    all.map(({ address }) => address),
  );
  return all;
};
const post = (to, headers = {}, signal) =>
  fetch(to, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: BODY, signal });
/// A fresh payment for a fresh offer, as the stock client signs it, and what it costs.
const sign = async (to, { client }) => {
  const response = await post(to);
  const required = client.http.getPaymentRequiredResponse((name) => response.headers.get(name), await said(response));
  const payload = await client.client.createPaymentPayload(required);
  return { headers: client.http.encodePaymentSignatureHeader(payload), price: BigInt(payload.accepted.amount) };
};

const answers = [];
/// Sends a payment; says how it was answered.
const send = async (to, headers, signal) => {
  try {
    const response = await post(to, headers, signal);
    const body = await said(response);
    if (response.ok) answers.push(body?.call ?? {});
    return response.status;
  } catch (error) {
    if (error.name === "TimeoutError") return "gave up";
    throw error;
  }
};
const runs = async (to) => {
  if (!RUNS) return new Set(answers).size;
  return (await (await fetch(RUNS)).json())[new URL(to).pathname];
};
const total = async (people) => {
  let sum = 0n;
  for (const { address } of people) sum += await balanceOf(RPC, address);
  return sum;
};

const rows = [];
/// Adds a row: `bought` payments by as many people, `play` sends them and returns the statuses, `wait` is how long the
/// money has to come to rest.
const row = (name, { to = url, bought = 1, wait = Number(SETTLE_MS), ticks = false }, play) =>
  rows.push({
    name,
    run: async () => {
      answers.length = 0;
      const people = await payers(bought);
      const before = { runs: await runs(to), money: await total(people) };
      const signed = [];
      for (const payer of people) signed.push(await sign(to, payer));
      const statuses = await play(signed, people, to);
      // What is right has come to rest early; what is wrong is given all the time.
      const until = Date.now() + wait;
      let paid;
      do {
        await sleep(250);
        // A reorganization is seen when blocks follow.
        if (ticks && !REORG) await rpc(RPC, "anvil_mine", "0x1");
        paid = Number((before.money - (await total(people))) / signed[0].price);
      } while (Date.now() < until && !(ticks && paid === bought));
      const ran = (await runs(to)) - before.runs;
      const served = statuses.every((status) => status === 200 || status === "gave up");
      const sound = ran === bought && paid === bought && served;
      console.log(JSON.stringify({ row: name, runs: ran, paid, statuses, sound }));
      return sound;
    },
  });

const twice = async ([{ headers }], _, to) => [await send(to, headers), await send(to, headers)];
const five = ([{ headers }], _, to) => Promise.all(Array.from({ length: 5 }, () => send(to, headers)));
row("same header twice", {}, twice);
row("same header 5x at once", {}, five);
if (UPFRONT) row("same header 5x at once, upfront", { to: UPFRONT }, five);
row("stuck, gives up after 3 s, signs again", {}, async ([{ headers }], [payer], to) => {
  await chain.stall();
  try {
    const first = await send(to, headers, AbortSignal.timeout(3000));
    const again = send(to, (await sign(to, payer)).headers);
    await sleep(1500);
    await chain.resume();
    return [first, await again];
  } finally {
    await chain.resume();
  }
});
row("10 payments at once", { bought: 10 }, (signed, _, to) =>
  Promise.all(signed.map(({ headers }) => send(to, headers))),
);
row(
  "reorganized by 1 block after the answer",
  { wait: Number(REORG_MS), ticks: true },
  async ([{ headers }], _, to) => {
    const status = await send(to, headers);
    await chain.reorg();
    return [status];
  },
);

let sound = true;
for (const { name, run } of rows) {
  if (ROWS.split(",").some((words) => name.includes(words))) sound = (await run()) && sound;
}
process.exit(sound ? 0 : 1);
