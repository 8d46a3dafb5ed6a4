// Measures paid calls of a registry beside those of the stock server, on one chain, in one run, and prints a table.
//
//   node figures.mjs GLASSBOX       the path of the command, built for release
//
// Everything runs on this machine, which should have nothing else to do: an anvil, the stock server with the SDK's
// facilitator in its process, and a registry that settles on the same anvil with a key of its own. COUNT=40 and
// MANY=400 say how many calls are measured.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { toHex } from "viem";

import { rpc, startChain, TOKEN } from "./place.mjs";

const [glassbox] = process.argv.slice(2);
const { COUNT = "40", MANY = "400" } = process.env;
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const root = here("../../../../");
const children = [];

/// Starts a server and returns the line of JSON that it prints when it listens.
const start = (command, args, env = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      const end = said.lastIndexOf("}\n");
      if (end >= 0) resolve({ ...JSON.parse(said.slice(said.indexOf("{"), end + 1)), pid: child.pid });
    });
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}: ${said}`)));
  });

/// Runs a command to its end. Not synchronously: what the servers print must be read meanwhile, or they stop.
const run = async (command, args, options = {}) => {
  const { stdout } = await promisify(execFile)(command, args, { maxBuffer: 1 << 26, ...options });
  return stdout;
};

/// Runs the load driver and returns what it measured.
const load = async (url, scheme, count, concurrency, pid, env) => {
  const args = [here("load.mjs"), url, scheme, count, concurrency, pid].map(String);
  const said = await run("node", args, { env: { ...process.env, ...env } });
  const measured = JSON.parse(said.trim().split("\n").at(-1));
  if (measured.ok !== Number(count)) throw new Error(`${url} ${scheme}: ${said}`);
  return measured;
};

const data = mkdtempSync(join(tmpdir(), "glassbox-figures-"));
try {
  const chain = await startChain();
  const RPC = chain.url ?? chain;
  const reference = await start("node", [here("reference.mjs")], { RPC, NONCE_MANAGER: "1" });
  const ask = ["--home", join(data, "home"), "--json"];
  const serve = ["serve", "--data", data, "--listen", "127.0.0.1:0", "--rpc", RPC, "--token", TOKEN, "--finality", "1"];
  const registry = await start(glassbox, [...serve, ...ask], { GLASSBOX_LOG: "warn" });
  const treasury = JSON.parse(readFileSync(join(data, "keys", "treasury.json"), "utf8")).address;
  await rpc(RPC, "anvil_setBalance", treasury, toHex(10n ** 21n));
  const command = (...args) => run(glassbox, [...args, ...ask, "--registry", registry.url], { cwd: root });
  await command("publish", "examples/markdown");
  const granted = JSON.parse(await command("credit", "grant", "1000", "--data", data));

  const call = `${registry.url}/v1/call/docs/markdown/1.0.0/to-html`;
  const BODY = '{"args":{"text":"# {i}","dialect":"commonmark"}}';
  const ours = { RPC, BODY, TOKEN: granted.token };
  const rows = [
    ["stock exact", await load(`${reference.url}/exact`, "exact", COUNT, 1, reference.pid, { RPC })],
    ["glassbox exact", await load(call, "exact", COUNT, 1, registry.pid, ours)],
    ["stock batch-settlement", await load(`${reference.url}/batch`, "batch-settlement", MANY, 4, reference.pid, { RPC })],
    ["glassbox batch-settlement", await load(call, "batch-settlement", MANY, 4, registry.pid, ours)],
    ["glassbox credit", await load(call, "credit", MANY, 4, registry.pid, ours)],
  ];
  for (const [name, { p50_ms, p95_ms, per_s, count, server_cpu_s }] of rows) {
    const perCpu = (count / Math.max(server_cpu_s, 0.01)).toFixed(0);
    console.log(`${name.padEnd(26)} p50 ${p50_ms} ms, p95 ${p95_ms} ms, ${per_s} a second, ${perCpu} a CPU second`);
  }
} finally {
  for (const child of children) {
    child.removeAllListeners("exit");
    child.kill();
  }
  rmSync(data, { recursive: true, force: true });
}
process.exit(0);
