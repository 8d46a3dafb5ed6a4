"""Writes stock-schemes-py.json: payments of every scheme, made by the stock Python SDK with a throw-away key.

Run: python stock-schemes.py > stock-schemes-py.json
It needs PyPI x402[evm,extensions] 2.25.0.
"""

import json
import os
import time

NOW_S = 1_800_000_000
time.time = lambda: NOW_S + 0.25
drawn = 0


def draw(count):
    global drawn
    drawn += 1
    return bytes([0x40 + drawn]) * count


# The same time and the same random bytes each run, so that the file changes only when the SDK does.
os.urandom = draw

from eth_account import Account  # noqa: E402
from x402.mechanisms.evm.batch_settlement.client import BatchSettlementEvmScheme  # noqa: E402
from x402.mechanisms.evm.exact import ExactEvmScheme  # noqa: E402
from x402.mechanisms.evm.signers import EthAccountSigner  # noqa: E402
from x402.mechanisms.evm.upto import UptoEvmScheme  # noqa: E402
from x402.schemas import PaymentRequirements  # noqa: E402

PAYER = "0x" + "11" * 32
OPERATOR = Account.from_key("0x" + "33" * 32).address
SPONSORED = {"eip2612GasSponsoring": {"info": {"description": "d", "version": "1"}, "schema": {}}}


class Signer(EthAccountSigner):
    """Signs with a key, and reads from a chain on which the payer has signed three permits."""

    def read_contract(self, address, abi, function_name, *args):
        return {"allowance": 0, "nonces": 3, "channels": (0, 0)}[function_name]


def offer(scheme, **extra):
    return {
        "scheme": scheme, "network": "eip155:84532", "amount": "50000", "maxTimeoutSeconds": 600,
        "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "payTo": "0x17c5185167401eD00cF5F5b2fc97D9BBfDb7D025",
        "extra": {"name": "USDC", "version": "2", **extra},
    }


def pay(name, scheme, offered, extensions=None):
    signer = Signer(Account.from_key(PAYER))
    requirements = PaymentRequirements.model_validate(offered)
    made = dict(scheme(signer).create_payment_payload(requirements, extensions))
    added = made.pop("__extensions", None)
    payload = {"x402Version": 2, "accepted": offered, "payload": made}
    if added:
        payload["extensions"] = {
            key: {**extensions[key], "info": {**value["info"], **extensions[key]["info"]}} for key, value in added.items()
        }
    return {"name": name, "payload": payload}


permit2 = {"assetTransferMethod": "permit2"}
terms = {"receiverAuthorizer": OPERATOR, "withdrawDelay": 86400, "minDeposit": "500000"}
upto = offer("upto", facilitatorAddress=OPERATOR, **permit2)
batch = offer("batch-settlement", **terms)
by_permit2 = offer("batch-settlement", **terms, **permit2)

print(json.dumps({
    "about": "Payments of every scheme, made by the stock Python SDK with a throw-away key; see stock-schemes.py.",
    "made_by": "PyPI x402 2.25.0",
    "now_s": NOW_S,
    "payments": [
        pay("exact by permit2", ExactEvmScheme, offer("exact", **permit2)),
        pay("exact by permit2, gasless", ExactEvmScheme, offer("exact", **permit2), SPONSORED),
        pay("upto", UptoEvmScheme, upto),
        pay("upto, gasless", UptoEvmScheme, upto, SPONSORED),
        pay("batch deposit", BatchSettlementEvmScheme, batch),
        pay("batch deposit by permit2", BatchSettlementEvmScheme, by_permit2),
        pay("batch deposit by permit2, gasless", BatchSettlementEvmScheme, by_permit2, SPONSORED),
    ],
}, indent=1))
