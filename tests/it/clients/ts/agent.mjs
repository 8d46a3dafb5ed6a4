// An agent on the stock MCP client: finds a capability, reads it, calls it, pays for it; prints one line of JSON each.
//
//   KEY=0x… node agent.mjs URL QUERY FUNCTION ARGS
//   COMMAND='["glassbox","mcp"]' node agent.mjs - QUERY FUNCTION ARGS    a server on standard input and output
//
//   ANSWER=accept, or decline: what its person says when asked
//
//   CALLS=1000 CONNECTIONS=16 node agent.mjs URL QUERY FUNCTION ARGS     calls it as often, over as many connections, and
//                                                                        prints {calls, errors}

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { privateKeyToAccount } from "viem/accounts";

import { stock } from "./stock.mjs";

const [url, query, name, argsText] = process.argv.slice(2);
const args = JSON.parse(argsText);
const { KEY, COMMAND, ANSWER, CALLS, CONNECTIONS = "1" } = process.env;

const connect = async () => {
  const capabilities = ANSWER ? { elicitation: {} } : {};
  const agent = new Client({ name: "stock-agent", version: "1.0.0" }, { capabilities });
  if (ANSWER) {
    agent.setRequestHandler(ElicitRequestSchema, (request) => {
      say("asked", { message: request.params.message });
      return ANSWER === "accept" ? { action: "accept", content: {} } : { action: ANSWER };
    });
  }
  const [command, ...rest] = COMMAND ? JSON.parse(COMMAND) : [];
  const transport = command
    ? new StdioClientTransport({ command, args: rest, env: process.env })
    : new StreamableHTTPClientTransport(new URL(url));
  await agent.connect(transport);
  return agent;
};
const say = (step, value) => console.log(JSON.stringify({ step, ...value }));

const agent = await connect();
// The client checks structured results against the schemas that it is told here.
const { tools } = await agent.listTools();
say("tools", { names: tools.map((tool) => tool.name) });

const found = await agent.callTool({ name: "search", arguments: { query } });
const { id } = found.structuredContent.results[0];
say("search", { id });
const described = await agent.callTool({ name: "describe", arguments: { id, function: name } });
say("describe", described.structuredContent);

const call = { name: "call", arguments: { id, function: name, args } };
if (CALLS) {
  let errors = 0;
  const connections = await Promise.all(Array.from({ length: Number(CONNECTIONS) }, connect));
  const share = Number(CALLS) / connections.length;
  await Promise.all(
    connections.map(async (connection, index) => {
      const count = Math.floor(share * (index + 1)) - Math.floor(share * index);
      for (let made = 0; made < count; made++) {
        const result = await connection.callTool(call).catch(() => ({ isError: true }));
        if (result.isError) errors += 1;
      }
    }),
  );
  say("load", { calls: Number(CALLS), errors });
  await Promise.all(connections.map((connection) => connection.close()));
} else {
  let result = await agent.callTool(call);
  if (result.structuredContent?.x402Version && KEY) {
    const required = result.structuredContent;
    say("required", { required, same: result.content[0].text === JSON.stringify(required), isError: result.isError });
    const { client } = stock("exact", privateKeyToAccount(KEY));
    const payment = await client.createPaymentPayload(required);
    result = await agent.callTool({ ...call, _meta: { "x402/payment": payment } });
  }
  const { structuredContent: result_, isError = false, _meta: meta = {} } = result;
  say("result", { isError, result: result_, settlement: meta["x402/payment-response"], receipt: meta["dev.glassbox/receipt"] });
}
await agent.close();
