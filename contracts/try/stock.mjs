// viem and x402's SDK as they come from the registry, found where the command line says.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

export const modules = resolve(process.argv[2] ?? process.env.NODE_MODULES ?? "node_modules");
const require = createRequire(join(modules, "resolve-from-here.js"));

export const viem = require("viem");
export const { parseAbi } = viem;
export const { privateKeyToAccount } = require("viem/accounts");
export const { baseSepolia } = require("viem/chains");
export const evm = require("@x402/evm");
export const http = require("@x402/core/http");
export const client = {
  Exact: require("@x402/evm/exact/client").ExactEvmScheme,
  Upto: require("@x402/evm/upto/client").UptoEvmScheme,
  Batch: require("@x402/evm/batch-settlement/client").BatchSettlementEvmScheme,
};
export const facilitator = {
  Exact: require("@x402/evm/exact/facilitator").ExactEvmScheme,
  Upto: require("@x402/evm/upto/facilitator").UptoEvmScheme,
  Batch: require("@x402/evm/batch-settlement/facilitator").BatchSettlementEvmScheme,
};
export const { computeChannelId, signVoucher } = require("@x402/evm/batch-settlement/client");
