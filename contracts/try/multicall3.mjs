// Multicall3, as viem uses it. The facilitators' own reads of channels go through it too.
import { equal, refused, works } from "./cases.mjs";
import { MULTICALL3, TOKEN, balanceOf, chain, payee, payer, read, stranger } from "./chain.mjs";
import { ABI } from "./abi.mjs";
import { viem } from "./stock.mjs";

const balances = (...accounts) =>
  accounts.map((account) => ({ address: TOKEN, abi: ABI, functionName: "balanceOf", args: [account] }));

await works("multicall3: many reads in one call", async () => {
  const contracts = balances(payer.address, payee.address);
  equal(await chain.multicall({ contracts, allowFailure: false, multicallAddress: MULTICALL3 }), [
    await balanceOf(payer.address),
    await balanceOf(payee.address),
  ]);
});
await works("multicall3: a failed read among others", async () => {
  const failing = {
    address: TOKEN,
    abi: ABI,
    functionName: "collect",
    args: [payer.address, TOKEN, 1n, viem.zeroHash, "0x"],
  };
  const contracts = [failing, ...balances(payer.address)];
  const results = await chain.multicall({ contracts, multicallAddress: MULTICALL3 });
  equal(
    results.map(({ status }) => status),
    ["failure", "success"],
  );
});
await refused("multicall3: a failed read that had to succeed", "Multicall3: call failed", () =>
  read(MULTICALL3, "aggregate", [{ target: TOKEN, callData: "0x12345678" }]),
);
await works("multicall3: ether, block and chain", async () => {
  equal(
    await read(MULTICALL3, "getEthBalance", stranger.address),
    await chain.getBalance({ address: stranger.address }),
  );
  equal(await read(MULTICALL3, "getBlockNumber"), await chain.getBlockNumber({ cacheTime: 0 }));
  equal(await read(MULTICALL3, "getChainId"), 84532n);
});
