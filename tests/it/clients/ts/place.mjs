// Prepares an anvil for paying: the contracts in their places, and dollars for who is named.
//
//   RPC=http://… node place.mjs [ADDRESS…]   on that anvil
//   node place.mjs [ADDRESS…]                on an anvil that it starts, which ends with it
//
// Prints {"rpc": URL}. BLOCK_TIME=2 has its own anvil mine every 2 s instead of at once.

import { argv, env } from "node:process";
import { fileURLToPath } from "node:url";
import { encodeFunctionData, parseAbi } from "viem";

import { startAnvil } from "../../../../contracts/anvil.mjs";
import { ADDRESSES, place, rpc } from "../../../../contracts/place.mjs";

export { ADDRESSES, rpc };
export const TOKEN = ADDRESSES.token;

const abi = parseAbi([
  "function mint(address to, uint256 value)",
  "function balanceOf(address account) view returns (uint256)",
]);

const ask = async (url, question) => {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(question) });
  if (!response.ok) throw new Error(`${url}: ${await response.text()}`);
};

/// Waits until a transaction is mined.
export const mined = async (url, hash) => {
  while (!(await rpc(url, "eth_getTransactionReceipt", hash))) await new Promise((later) => setTimeout(later, 20));
};

/// Gives dollars to everybody named: from a registry's faucet where FAUCET names one, else `value` of the token's
/// smallest unit, minted by the anvil's first account.
export const fund = async (url, addresses, value = 10_000_000n) => {
  if (env.FAUCET) {
    for (const address of addresses) await ask(env.FAUCET, { address, usd: "5" });
    return;
  }
  const [from] = await rpc(url, "eth_accounts");
  const hashes = [];
  for (const to of addresses) {
    const data = encodeFunctionData({ abi, functionName: "mint", args: [to, value] });
    hashes.push(await rpc(url, "eth_sendTransaction", { from, to: TOKEN, data }));
  }
  for (const hash of hashes) await mined(url, hash);
};

/// What an account has, in the token's smallest unit.
export const balanceOf = async (url, address) => {
  const data = encodeFunctionData({ abi, functionName: "balanceOf", args: [address] });
  return BigInt(await rpc(url, "eth_call", { to: TOKEN, data }, "latest"));
};

/// The contracts in their places on the anvil at `url`.
export const prepare = async (url) => place(url, (await rpc(url, "eth_accounts"))[0]);

/// An anvil of its own, prepared.
export const startChain = async (...options) => {
  const modules = fileURLToPath(new URL("node_modules", import.meta.url));
  const { url } = await startAnvil(modules, ...options);
  await prepare(url);
  return url;
};

if (argv[1] === fileURLToPath(import.meta.url)) {
  const options = env.BLOCK_TIME ? ["--block-time", env.BLOCK_TIME] : [];
  const url = env.RPC ?? (await startChain(...options));
  if (env.RPC) await prepare(url);
  await fund(url, argv.slice(2));
  console.log(JSON.stringify({ rpc: url }));
}
