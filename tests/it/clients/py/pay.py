"""Pays for one call with the stock x402 client for httpx, and prints what it got as one line of JSON.

Usage: KEY=0x… python pay.py URL BODY
"""

import asyncio
import base64
import json
import os
import sys

from eth_account import Account
from x402 import x402Client
from x402.http.clients.httpx import x402HttpxClient
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.exact import ExactEvmScheme


async def main() -> None:
    url, body = sys.argv[1:]
    client = x402Client()
    signer = EthAccountSigner(Account.from_key(os.environ["KEY"]))
    client.register("eip155:*", ExactEvmScheme(signer=signer))
    async with x402HttpxClient(client) as http:
        headers = {"content-type": "application/json"}
        response = await http.post(url, content=body, headers=headers)
        settlement = response.headers.get("PAYMENT-RESPONSE")
        print(
            json.dumps(
                {
                    "status": response.status_code,
                    "body": response.json(),
                    "settlement": settlement and json.loads(base64.b64decode(settlement)),
                }
            )
        )


asyncio.run(main())
