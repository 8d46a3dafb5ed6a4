"""Pays for calls with the stock x402 client for httpx, and prints what each got as one line of JSON.

    KEY=0x… python pay.py URL [BODY…]

Every body is one call, made after the one before; without a body, the URL is fetched once.
    SCHEME      exact (default), upto or batch-settlement
    RPC         JSON-RPC of the chain: `upto` reads the nonce of its permit there, `batch-settlement` its channel
    PAYMENT_ID  the payment-identifier that goes with every payment
    SIGN_IN     signs in with the wallet before paying, where the server lets those in who paid
    REFUND      afterwards asks for what is left of the channel: `all` or an amount; one more line
"""

import asyncio
import base64
import json
import os
import sys

from eth_account import Account
from x402 import x402Client
from x402.extensions.payment_identifier import append_payment_identifier_to_extensions
from x402.extensions.sign_in_with_x import create_siwx_client_hook
from x402.http import x402HTTPClient
from x402.http.clients.httpx import x402HttpxClient
from x402.mechanisms.evm import EthAccountSigner
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme, RefundOptions
from x402.mechanisms.evm.exact import ExactEvmScheme
from x402.mechanisms.evm.signers import EthAccountSignerWithRPC
from x402.mechanisms.evm.upto.client import UptoEvmScheme

SCHEMES = {
    "exact": ExactEvmScheme,
    "upto": UptoEvmScheme,
    "batch-settlement": BatchSettlementEvmScheme,
}


class PaymentIdentifier:
    """Gives every payment the same identifier, where the server takes one."""

    key = "payment-identifier"

    def __init__(self, payment_id):
        self.payment_id = payment_id

    async def enrich_payment_payload(self, payload, _required):
        extensions = dict(payload.extensions or {})
        append_payment_identifier_to_extensions(extensions, self.payment_id)
        return payload.model_copy(update={"extensions": extensions})


def body_of(response):
    try:
        return response.json()
    except ValueError:
        return response.text


async def main() -> None:
    url, *bodies = sys.argv[1:]
    env = os.environ
    account = Account.from_key(env["KEY"])
    rpc = env.get("RPC")
    signer = EthAccountSignerWithRPC(account, rpc) if rpc else EthAccountSigner(account)
    scheme = SCHEMES[env.get("SCHEME", "exact")](signer)
    client = x402Client()
    client.register("eip155:*", scheme)
    if env.get("PAYMENT_ID"):
        client.register_extension(PaymentIdentifier(env["PAYMENT_ID"]))
    payer = x402HTTPClient(client)
    if env.get("SIGN_IN"):
        payer.on_payment_required(create_siwx_client_hook(signer))
    async with x402HttpxClient(payer, timeout=60) as http:
        headers = {"content-type": "application/json"}
        for body in bodies or [None]:
            if body is None:
                response = await http.get(url)
            else:
                response = await http.post(url, content=body, headers=headers)
            settlement = response.headers.get("PAYMENT-RESPONSE")
            print(
                json.dumps(
                    {
                        "status": response.status_code,
                        "body": body_of(response),
                        "settlement": settlement and json.loads(base64.b64decode(settlement)),
                    }
                )
            )
    refund = env.get("REFUND")
    if refund:
        options = RefundOptions(amount=None if refund == "all" else refund)
        settled = await asyncio.to_thread(scheme.refund, url, options)
        print(json.dumps({"refund": settled.model_dump(by_alias=True, exclude_none=True)}))


asyncio.run(main())
