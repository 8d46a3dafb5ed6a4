// Tries the contracts with x402's own clients and facilitators: places everything on an anvil, then pays, claims and
// refunds as they do, and makes every mistake that the contracts have to refuse. One line per case on stdout; exits 1
// when a case does not end as it should.
//
//   node contracts/try.mjs [path to a node_modules; README.md says what it holds]
//
// The path may also come from NODE_MODULES.
import { failures } from "./try/cases.mjs";

// One after the other: they share people, allowances and the clock.
for (const subject of ["permit2", "exact", "upto", "batch", "multicall3"]) await import(`./try/${subject}.mjs`);

console.log(failures ? `${failures} cases failed` : "every case ended as it should");
process.exit(failures ? 1 : 0);
