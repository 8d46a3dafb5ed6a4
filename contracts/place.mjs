// Puts the contracts at the addresses that the SDKs know, on an anvil of chain 84532; needs no package.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = dirname(fileURLToPath(import.meta.url));

/// Where each contract stands, by the name of its source.
export const ADDRESSES = {
  token: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
  permit2: "0x000000000022D473030F116dDEE9F6B43aC78BA3",
  exact_proxy: "0x402085c248EeA27D92E8b30b2C58ed07f9E20001",
  upto_proxy: "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002",
  batch: "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003",
  erc3009_collector: "0x4020806089470a89826cB9fB1f4059150b550004",
  permit2_collector: "0x4020425FAf3B746C082C2f942b4E5159887B0005",
  multicall3: "0xcA11bde05977b3631167028862bE2a173976CA11",
};

/// Asks a node by JSON-RPC; throws what it says is wrong.
export const rpc = async (url, method, ...params) => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  const { result, error } = await response.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
};

/// Places every contract on the anvil at `url`; `minter` may then mint the token.
export const place = async (url, minter) => {
  for (const [name, address] of Object.entries(ADDRESSES)) {
    const code = `0x${readFileSync(join(folder, `${name}.bin-runtime`), "utf8").trim()}`;
    await rpc(url, "anvil_setCode", address, code);
  }
  const owner = `0x${minter.slice(2).toLowerCase().padStart(64, "0")}`;
  await rpc(url, "anvil_setStorageAt", ADDRESSES.token, `0x${"0".repeat(64)}`, owner);
};
