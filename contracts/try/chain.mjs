// An anvil with the contracts at the addresses that the SDKs know, and the people who use them.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

import { ABI } from "./abi.mjs";
import { baseSepolia, evm, modules, privateKeyToAccount, viem } from "./stock.mjs";

const contracts = dirname(dirname(fileURLToPath(import.meta.url)));

export const NETWORK = "eip155:84532";
export const TOKEN = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
export const PERMIT2 = evm.PERMIT2_ADDRESS;
export const EXACT_PROXY = evm.x402ExactPermit2ProxyAddress;
export const UPTO_PROXY = evm.x402UptoPermit2ProxyAddress;
export const BATCH = evm.BATCH_SETTLEMENT_ADDRESS;
export const ERC3009_COLLECTOR = evm.ERC3009_DEPOSIT_COLLECTOR_ADDRESS;
export const PERMIT2_COLLECTOR = "0x4020425FAf3B746C082C2f942b4E5159887B0005";
export const MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11";
const PLACES = {
  token: TOKEN,
  permit2: PERMIT2,
  exact_proxy: EXACT_PROXY,
  upto_proxy: UPTO_PROXY,
  batch: BATCH,
  erc3009_collector: ERC3009_COLLECTOR,
  permit2_collector: PERMIT2_COLLECTOR,
  multicall3: MULTICALL3,
};

const anvil = spawn(join(modules, "@foundry-rs/anvil-linux-amd64/bin/anvil"), ["--port", "0", "--chain-id", "84532"], {
  stdio: ["ignore", "pipe", "inherit"],
});
anvil.on("error", (error) => {
  console.error(`${error.message}\nhint: npm install @foundry-rs/anvil`);
  process.exit(1);
});
process.on("exit", () => anvil.kill());
export let url;
for await (const line of createInterface(anvil.stdout)) {
  const port = line.match(/Listening on 127\.0\.0\.1:(\d+)/)?.[1];
  if (port) {
    url = `http://127.0.0.1:${port}`;
    break;
  }
}
anvil.stdout.resume();

export const chain = viem
  .createTestClient({ mode: "anvil", chain: baseSepolia, transport: viem.http(url) })
  .extend(viem.publicActions);
/// Whoever the name stands for: an account with ether, that signs and sends.
export const someone = async (name) => {
  const account = privateKeyToAccount(viem.keccak256(viem.toBytes(name)));
  await chain.setBalance({ address: account.address, value: viem.parseEther("10") });
  const wallet = viem.createWalletClient({
    account,
    chain: baseSepolia,
    transport: viem.http(url),
    pollingInterval: 20,
  });
  return Object.assign(wallet.extend(viem.publicActions), { address: account.address });
};
export const minter = await someone("minter");
export const payer = await someone("payer");
export const payee = await someone("payee");
export const settler = await someone("settler");
export const authorizer = await someone("authorizer");
export const stranger = await someone("stranger");

for (const [name, address] of Object.entries(PLACES)) {
  const bytecode = `0x${readFileSync(join(contracts, `${name}.bin-runtime`), "utf8").trim()}`;
  await chain.setCode({ address, bytecode });
}
await chain.setStorageAt({ address: TOKEN, index: 0, value: viem.pad(minter.address) });

export const read = (address, functionName, ...args) => chain.readContract({ address, abi: ABI, functionName, args });
export const balanceOf = (address) => read(TOKEN, "balanceOf", address);
/// Sends a call and returns the events of the contract called; throws what reverts.
export const send = async (who, address, functionName, ...args) => {
  const { request } = await who.simulateContract({ address, abi: ABI, functionName, args });
  const hash = await who.writeContract(request);
  const receipt = await who.waitForTransactionReceipt({ hash });
  if (receipt.status !== "success") throw new Error(`${functionName} was mined and failed`);
  const logs = receipt.logs.filter((log) => viem.isAddressEqual(log.address, address));
  return viem.parseEventLogs({ abi: ABI, logs }).map(({ eventName }) => eventName);
};

await send(minter, TOKEN, "mint", payer.address, 10_000_000n);
