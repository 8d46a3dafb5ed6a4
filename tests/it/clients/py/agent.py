"""An agent on the stock MCP client: finds a capability, reads it, calls it, pays for it; prints one line of JSON each.

KEY=0x… python agent.py URL QUERY FUNCTION ARGS
COMMAND='["glassbox","mcp"]' python agent.py - QUERY FUNCTION ARGS    a server on standard input and output
MODE=legacy has it shake hands as clients did before 2026-07-28.
ANSWER=accept, or decline: what its person says when asked
"""

import asyncio
import inspect
import json
import os
import sys

from eth_account import Account
from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult
from x402 import x402Client
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.schemas import PaymentRequired


def say(step, **value):
    print(json.dumps({"step": step, **value}))


async def pay(required):
    client = x402Client()
    client.register("eip155:*", ExactEvmScheme(EthAccountSigner(Account.from_key(os.environ["KEY"]))))
    payment = client.create_payment_payload(PaymentRequired.model_validate(required))
    payment = await payment if inspect.isawaitable(payment) else payment
    return payment.model_dump(by_alias=True, exclude_none=True)


async def person(_context, params):
    say("asked", message=params.message)
    return ElicitResult(action=os.environ["ANSWER"])


async def main():
    url, query, name, args = sys.argv[1:]
    command = json.loads(os.environ.get("COMMAND", "[]"))
    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ)) if command else url
    asked = {"elicitation_callback": person} if "ANSWER" in os.environ else {}
    async with Client(server, mode=os.environ.get("MODE", "auto"), **asked) as agent:
        tools = await agent.list_tools()
        say("tools", names=[tool.name for tool in tools.tools], era=str(agent.protocol_version))
        found = await agent.call_tool("search", {"query": query})
        id = found.structured_content["results"][0]["id"]
        say("search", id=id)
        described = await agent.call_tool("describe", {"id": id, "function": name})
        say("describe", **described.structured_content)
        call = {"id": id, "function": name, "args": json.loads(args)}
        result = await agent.call_tool("call", call)
        required = result.structured_content
        if "x402Version" in required and "KEY" in os.environ:
            same = json.loads(result.content[0].text) == required
            say("required", required=required, same=same, isError=result.is_error)
            result = await agent.call_tool("call", call, meta={"x402/payment": await pay(required)})
        meta = result.meta or {}
        say(
            "result",
            isError=bool(result.is_error),
            result=result.structured_content,
            settlement=meta.get("x402/payment-response"),
            receipt=meta.get("dev.glassbox/receipt"),
        )


asyncio.run(main())
