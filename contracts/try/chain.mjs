// An anvil with the contracts at the addresses that the SDKs know, and the people who use them.
import { startAnvil } from "../anvil.mjs";
import { ADDRESSES, place } from "../place.mjs";
import { ABI } from "./abi.mjs";
import { baseSepolia, modules, privateKeyToAccount, viem } from "./stock.mjs";

export const NETWORK = "eip155:84532";
export const {
  token: TOKEN,
  permit2: PERMIT2,
  exact_proxy: EXACT_PROXY,
  upto_proxy: UPTO_PROXY,
  batch: BATCH,
  erc3009_collector: ERC3009_COLLECTOR,
  permit2_collector: PERMIT2_COLLECTOR,
  multicall3: MULTICALL3,
} = ADDRESSES;
export const { url } = await startAnvil(modules);

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

await place(url, minter.address);

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
