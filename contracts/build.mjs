// Compiles every contract here and writes its runtime code, or with --check compares it with the one that is there.
//
//   node contracts/build.mjs [--check] [path to a node_modules that holds solc 0.8.28]
//
// The path may also come from NODE_MODULES. Compiled code carries no metadata, so the same compiler gives the
// same bytes on every machine.
import { createRequire } from "node:module";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
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

const files = readdirSync(here).filter((file) => file.endsWith(".sol"));
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: Object.fromEntries(files.map((file) => [file, { content: readFileSync(join(here, file), "utf8") }])),
      settings: {
        // paris has no PUSH0, so the code also runs on older test chains.
        evmVersion: "paris",
        viaIR: true,
        optimizer: { enabled: true, runs: 200 },
        metadata: { appendCBOR: false, bytecodeHash: "none" },
        outputSelection: { "*": { "*": ["abi", "evm.deployedBytecode", "storageLayout"] } },
      },
    }),
  ),
);
for (const { formattedMessage } of output.errors ?? []) console.error(formattedMessage);
if (output.errors?.length) fail("the compiler complains");

const minter = output.contracts["token.sol"].DevnetDollar.storageLayout.storage.find(({ label }) => label === "minter");
if (minter?.slot !== "0" || minter.offset !== 0)
  fail("the minter is not in storage slot 0, where the devnet writes it");

let stale = false;
for (const file of files) {
  // Interfaces have no code; each file has one contract beside them.
  const contracts = Object.entries(output.contracts[file]).filter(([, { evm }]) => evm.deployedBytecode.object);
  if (contracts.length !== 1) fail(`${file} has ${contracts.length} contracts with code, not one`);
  const [name, { abi, evm }] = contracts[0];
  if (abi.some(({ type }) => type === "constructor")) fail(`${name} has a constructor`);
  if (Object.keys(evm.deployedBytecode.immutableReferences ?? {}).length) fail(`${name} has immutables`);

  const code = file.replace(/\.sol$/, ".bin-runtime");
  const path = join(here, code);
  const built = `${evm.deployedBytecode.object}\n`;
  const size = `${(built.length - 1) / 2} bytes`;
  if (!check) {
    writeFileSync(path, built);
    console.error(`wrote ${code} (${size})`);
  } else if (existsSync(path) && readFileSync(path, "utf8") === built) {
    console.error(`${code} is what ${file} compiles to (${size})`);
  } else {
    console.error(`${code} is not what ${file} compiles to`);
    stale = true;
  }
}
if (stale) fail("hint: node contracts/build.mjs");

function fail(message) {
  console.error(message);
  process.exit(1);
}
