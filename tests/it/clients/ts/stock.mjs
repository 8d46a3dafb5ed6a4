// The stock x402 clients, each for one scheme, as a user sets them up.

import { x402Client, x402HTTPClient } from "@x402/core/client";
import { ExactEvmScheme, toClientEvmSigner } from "@x402/evm";
import { BatchSettlementEvmScheme } from "@x402/evm/batch-settlement/client";
import { UptoEvmScheme } from "@x402/evm/upto/client";
import { PAYMENT_IDENTIFIER, appendPaymentIdentifierToExtensions } from "@x402/extensions/payment-identifier";
import { createSIWxClientExtension } from "@x402/extensions/sign-in-with-x";
import { createPublicClient, http } from "viem";
import { baseSepolia } from "viem/chains";

const SCHEMES = {
  exact: (account, rpc) => new ExactEvmScheme(account, rpc && { rpcUrl: rpc }),
  upto: (account, rpc) => new UptoEvmScheme(account, rpc && { rpcUrl: rpc }),
  "batch-settlement": (account, rpc, depositStrategy) => {
    const signer = rpc ? toClientEvmSigner(account, chainAt(rpc)) : account;
    return new BatchSettlementEvmScheme(signer, { depositStrategy, ...(rpc && { rpcUrl: rpc }) });
  },
};

/// Reads the chain behind a JSON-RPC.
export const chainAt = (rpc) => createPublicClient({ chain: baseSepolia, transport: http(rpc) });

/// A client that pays by one scheme from `account`. `rpc` is where it reads the chain, which `upto` without a standing
/// allowance and the recovery of a channel need. `paymentId` goes with every payment; `signIn` has it prove who it is
/// before it pays; `depositStrategy` sizes the deposits of a channel.
export const stock = (name, account, { rpc, paymentId, signIn, depositStrategy } = {}) => {
  const make = SCHEMES[name];
  if (!make) throw new Error(`no scheme is called ${name}: it is one of ${Object.keys(SCHEMES).join(", ")}`);
  const scheme = make(account, rpc, depositStrategy);
  const client = new x402Client().register("eip155:*", scheme);
  if (paymentId) {
    const enrichPaymentPayload = async (payload) => {
      const extensions = structuredClone(payload.extensions ?? {});
      return { ...payload, extensions: appendPaymentIdentifierToExtensions(extensions, paymentId) };
    };
    client.registerExtension({ key: PAYMENT_IDENTIFIER, enrichPaymentPayload });
  }
  if (signIn) client.registerExtension(createSIWxClientExtension({ signers: [account] }));
  return { scheme, client, http: new x402HTTPClient(client) };
};

/// What an answer says, as far as it is JSON.
export const said = async (response) => {
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
