// Compiles token.sol and writes token.bin-runtime, or with --check compares it with the one that is there.
//
//   node contracts/build.mjs [--check] [path to a node_modules that holds solc 0.8.28]
//
// The path may also come from NODE_MODULES. Compiled code carries no metadata, so the same compiler gives the
// same bytes on every machine.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SOLC = "0.8.28";
const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const check = words.includes("--check");
const modules = resolve(words.find((word) => !word.startsWith("--")) ?? process.env.NODE_MODULES ?? "node_modules");

const solc = createRequire(join(modules, "resolve-from-here.js"))("solc");
if (!solc.version().startsWith(`${SOLC}+`)) {
  fail(`solc is ${solc.version()}, not ${SOLC}\nhint: npm install solc@${SOLC}`);
}

const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "token.sol": { content: readFileSync(join(here, "token.sol"), "utf8") } },
      settings: {
        // paris has no PUSH0, so the code also runs on older test chains.
        evmVersion: "paris",
        viaIR: true,
        optimizer: { enabled: true, runs: 200 },
        metadata: { appendCBOR: false, bytecodeHash: "none" },
        outputSelection: { "token.sol": { DevnetDollar: ["evm.deployedBytecode", "storageLayout"] } },
      },
    }),
  ),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) fail("the compiler complains");

const contract = output.contracts["token.sol"].DevnetDollar;
const minter = contract.storageLayout.storage.find(({ label }) => label === "minter");
if (minter?.slot !== "0" || minter.offset !== 0) fail("the minter is not in storage slot 0, where the devnet writes it");
if (Object.keys(contract.evm.deployedBytecode.immutableReferences ?? {}).length) fail("the code has immutables");

const path = join(here, "token.bin-runtime");
const built = `${contract.evm.deployedBytecode.object}\n`;
if (check) {
  if (readFileSync(path, "utf8") !== built) fail("token.bin-runtime is not what token.sol compiles to\nhint: node contracts/build.mjs");
  console.error(`token.bin-runtime is what token.sol compiles to (${(built.length - 1) / 2} bytes)`);
} else {
  writeFileSync(path, built);
  console.error(`wrote ${path} (${(built.length - 1) / 2} bytes)`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
