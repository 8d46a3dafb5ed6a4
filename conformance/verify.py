"""Verifies Glassbox receipts, from docs/protocol.md alone: python3 verify.py BUNDLE... or --vectors. Nothing to install."""
import base64, hashlib, json, struct, sys
from decimal import Decimal
from pathlib import Path

# Ed25519 (RFC 8032), verification only.
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    return (b - a) * (d - c) % P, (d + c) * (b + a) % P, (d - c) * (d + c) % P, (b - a) * (b + a) % P
def mul(n, p):
    q = (0, 1, 1, 0)
    for bit in bin(n)[2:]:
        q = add(q, q)
        if bit == "1": q = add(q, p)
    return q
def same(p, q): return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0
def point(data):
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if y >= P: return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P: x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign): return None
    if x & 1 != sign: x = P - x
    return x, y, 1, x * y % P
BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
def signed(key, message, signature):
    if len(key) != 32 or len(signature) != 64: return False
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L or any(same(mul(8, q), (0, 1, 1, 0)) for q in (a, r)): return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    return same(mul(s, BASE), add(r, mul(h, a)))

def sha(*parts): return hashlib.sha256(b"".join(parts)).digest()
def digest(*parts): return "sha256:" + sha(*parts).hex()
def raw(text):
    if not (text.startswith("sha256:") and len(text) == 71 and text == text.lower()): raise ValueError(text)
    return bytes.fromhex(text[7:])
def b64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text: raise ValueError("base64")
    return data
def canonical(value): return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
def did(text):
    digits, number = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 0
    for letter in text.removeprefix("did:key:z"): number = number * 58 + digits.index(letter)
    data = number.to_bytes(34, "big")
    if not text.startswith("did:key:z") or data[:2] != b"\xed\x01": raise ValueError(text)
    return data[2:]
def envelope(dsse, key, kind):
    """The statement in a DSSE envelope that `key` signed alone, as one of `kind`."""
    payload, (signature,) = b64(dsse["payload"]), dsse["signatures"]
    if dsse["payloadType"] != "application/vnd.in-toto+json" or signature["keyid"] != key: raise ValueError("envelope")
    message = b"DSSEv1 28 application/vnd.in-toto+json %d " % len(payload) + payload
    if not signed(did(key), message, b64(signature["sig"])): raise ValueError("signature")
    statement = json.loads(payload)
    wanted = "https://in-toto.io/Statement/v1", "https://glassbox.dev/attestation/%s/v1" % kind
    if (statement["_type"], statement["predicateType"]) != wanted: raise ValueError("kind")
    return statement

# Types and values.
def one(ty): return (ty, None) if isinstance(ty, str) else next(iter(ty.items()))
def text(ty):
    kind, of = one(ty)
    joined = lambda items: ", ".join(items)
    if of is None: return kind
    if kind in ("list", "option"): return f"{kind}<{text(of)}>"
    if kind == "fixed-list": return f"list<{text(of[0])}, {of[1]}>"
    if kind in ("map", "tuple"): return f"{kind}<{joined(map(text, of))}>"
    if kind == "record": return "record { %s }" % joined(f"{f['name']}: {text(f['type'])}" for f in of)
    if kind == "variant": return "variant { %s }" % joined(c["name"] + (f"({text(c['type'])})" if c.get("type") else "") for c in of)
    if kind in ("enum", "flags"): return "%s { %s }" % (kind, joined(of))
    ok, err = of.get("ok"), of.get("err")
    if err: return f"result<{text(ok) if ok else '_'}, {text(err)}>"
    return f"result<{text(ok)}>" if ok else "result"
def function(ty):
    result = f" -> {text(ty['result'])}" if ty.get("result") else ""
    return "func(%s)%s" % (", ".join(f"{p['name']}: {text(p['type'])}" for p in ty["params"]), result)
def leb(number, sign=False):
    out = bytearray()
    while True:
        byte, number = number & 127, number >> 7
        if number == (-1 if sign and byte & 64 else 0) and not (sign and number == 0 and byte & 64):
            return bytes(out + bytes([byte]))
        out.append(byte | 128)
def number(value, kind):
    value = float(value)
    if value != value: return bytes.fromhex("0000c07f" if kind == "f32" else "000000000000f87f")
    return struct.pack("<f" if kind == "f32" else "<d", value)
def blob(value):
    if isinstance(value, list): return bytes(value)
    return bytes.fromhex(value["hex"]) if "hex" in value else base64.b64decode(value["base64"] + "==")
def encode(value, ty):
    kind, of = one(ty)
    if kind == "bool": return bytes([bool(value)])
    if kind in ("u8", "s8"): return bytes([int(value) & 255])
    if kind[0] in "us" and kind[1:].isdigit(): return leb(int(value), kind[0] == "s")
    if kind in ("f32", "f64"): return number(value, kind)
    if kind in ("char", "string"): return (leb(len(value.encode())) if kind == "string" else b"") + value.encode()
    if kind == "list": return leb(len(blob(value))) + blob(value) if of == "u8" else leb(len(value)) + b"".join(encode(v, of) for v in value)
    if kind == "fixed-list": return blob(value) if of[0] == "u8" else b"".join(encode(v, of[0]) for v in value)
    if kind == "map":
        pairs = value.items() if isinstance(value, dict) else value
        return leb(len(value)) + b"".join(k + v for k, v in sorted((encode(k, of[0]), encode(v, of[1])) for k, v in pairs))
    if kind == "record": return b"".join(encode(value.get(f["name"]), f["type"]) for f in of)
    if kind == "tuple": return b"".join(map(encode, value, of))
    if kind == "enum": return leb(of.index(value))
    if kind == "flags": return sum(1 << of.index(f) for f in value).to_bytes((len(of) + 7) // 8, "little")
    if kind == "option":
        if value is None: return b"\0"
        return b"\1" + encode(value["some"] if one(of)[0] == "option" else value, of)
    name, payload = (value, None) if isinstance(value, str) else next(iter(value.items()))
    cases = [("ok", of.get("ok")), ("err", of.get("err"))] if kind == "result" else [(c["name"], c.get("type")) for c in of]
    index = [case for case, _ in cases].index(name)
    return leb(index) + (encode(payload, cases[index][1]) if cases[index][1] else b"")
def arguments(args, ty):
    named = isinstance(args, dict)
    return b"".join(encode(args.get(p["name"]) if named else args[i], p["type"]) for i, p in enumerate(ty["params"]))

# The bill.
def track(version):
    """What compatible versions have in common; nothing of a pre-release."""
    number, dash, _ = version.partition("+")[0].partition("-")
    parts = [int(part) for part in number.split(".")]
    if dash or len(parts) != 3: return None
    first = next((i for i, part in enumerate(parts) if part), 2)
    return parts[: first + 1]
def same_interface(one, other):
    (name, at, version), (its, its_at, other_version) = one.partition("@"), other.partition("@")
    if one == other or not (at and its_at and name == its): return one == other
    try: return track(version) is not None and track(version) == track(other_version)
    except ValueError: return False
def applies(price, name): return price["on"] == "execute" and ("export" not in price or names(price["export"], name))
def names(export, name):
    interface, _, own = name.rpartition("#")
    wanted, hash_, short = export.rpartition("#")
    if not hash_ and "/" in export: wanted, short = export, own
    plain = interface.split("@")[0]
    if short != own or not wanted: return short == own
    return interface != "" and (wanted in (plain, plain.split("/")[-1]) or same_interface(wanted, interface))
def atomic(dollars): return int(Decimal(dollars) * 10**6)
ENDLESS = 2**200
def count(unit, usage, most):
    """How many of a unit were used, and the most that a call can use."""
    kind, _, event = unit.partition(":")
    used = {"call": 1, "fuel": usage["fuel"], "byte-in": usage.get("bytesIn", 0), "byte-out": usage.get("bytesOut", 0),
            "second": -(-usage.get("waitMs", 0) // 1000), "event": usage.get("events", {}).get(event, 0)}[kind]
    limit = {"call": 1, "fuel": most, "byte-in": 6291456, "byte-out": 16777216, "second": 30, "event": 10**9}[kind]
    return min(used, limit), limit
def rated(price, used, quantity, calls=1):
    free = max(price["free"]["quantity"] - used, 0) if "free" in price and used is not None else 0
    if free and quantity <= free: return 0
    first, last, tiers = (used or 0) + free, (used or 0) + quantity, price.get("tiers")
    steps = [(step.get("up-to", ENDLESS), atomic(step["amount"])) for step in tiers["steps"]] if tiers else []
    if not tiers: total = (last - first) * atomic(price["amount"])
    elif used is None: total = (last - first) * max(amount for _, amount in steps)
    elif tiers["mode"] == "volume": total = (last - first) * next(amount for end, amount in steps if last <= end)
    else:
        total = 0
        for end, amount in steps:
            total, first = total + max(min(last, end) - first, 0) * amount, max(first, min(last, end))
    amount = max(-(-total // price["per"]), atomic(price.get("minimum", "0")) * calls)
    return min(amount, atomic(price.get("max-per-call", "1e12")) * calls, 10**18)
def covered(grant, price, used, quantity):
    quota = grant.get("quota")
    if quota is None: return quantity
    most = quota.get({"fuel": "fuel", "call": "calls"}.get(price["unit"]), 0)
    return min(max(most - used.get("grant:" + grant["id"], ENDLESS), 0), quantity)
def running(discount, at):
    if "window" in discount:
        start, end = discount["window"][:5], discount["window"][6:11]
        if not (start <= at[11:16] < end if start <= end else at[11:16] >= start or at[11:16] < end): return False
    return discount.get("from", "") <= at[:10] <= discount.get("until", "9999-12-31")
def owed(terms, price, account, quantity, bound):
    """What units of a price cost an account; with `bound`, the most that up to as many cost."""
    used, name = account.get("used", {}), price["id"]
    held = account["plans"] if "plans" in account else [account["plan"]] if "plan" in account else []
    for plan in terms.get("plan", []):
        seats = sum(one["seats"] for one in held if one["id"] == plan["id"])
        if not seats or not {"execute:*", "execute:" + name} & set(plan.get("includes", [])): continue
        quota = plan.get("quota")
        if quota is None or used.get("plan:" + plan["id"], ENDLESS) < quota["calls"] * seats or quota.get("overage-price", name) != name: return 0
    steps = [step["up-to"] - used.get(name, 0) for step in price.get("tiers", {}).get("steps", []) if bound and "up-to" in step]
    amount = max(rated(price, used.get(name), end) for end in [quantity] + [step for step in steps if 0 < step < quantity])
    off = max([d["percent"] for d in terms.get("discount", []) if d["price"] == name and "at" in account and running(d, account["at"])] + [0])
    best = -(-amount * (100 - off) // 100)
    for grant in terms.get("grant", []):
        if grant["id"] not in account.get("grants", []) or name not in grant["prices"]: continue
        reached = covered(grant, price, used, quantity)
        part = amount if reached >= quantity else 0 if bound else amount * reached // quantity
        best = min(best, -(-(part * (100 - max(off, grant["percent-off"])) + (amount - part) * (100 - off)) // 100))
    return best
def is_owed(price, ending): return ending == "returned" or (ending == "guest-failed" and price["charge-on"] == "attempt")
def own_lines(terms, name, most, account, usage=None):
    """The lines of a release's own prices for a usage, or for a quote without one."""
    lines, left = [], None
    if "max-monthly-per-payer" in terms and "paid" in account: left = max(atomic(terms["max-monthly-per-payer"]) - int(account["paid"]), 0)
    for price in terms["price"]:
        ending = usage["ending"] if usage else "returned"
        if not applies(price, name) or not is_owed(price, ending): continue
        quantity, limit = count(price["unit"], usage or {"fuel": most}, most)
        if usage is None: quantity = limit
        amount = owed(terms, price, account, quantity, usage is None)
        if left is not None: amount = min(amount, left); left -= amount
        lines.append({"price": price["id"], "unit": price["unit"], "quantity": quantity, "amount": str(amount)})
    return lines
def worth(lines): return sum(int(line["amount"]) for line in lines)
UNBOUNDED = 2**64 - 1
def uses_of(importer, linked, works, most, parent=None, calls=1, found=None):
    """The uses that a call could make of dependencies: each with its parent, terms, functions, calls, fuel and baseline."""
    found = [] if found is None else found
    for one in linked:
        terms = works.get(one["terms"])
        if terms is None: continue
        bound = importer.get("dependencies", {}).get(package(terms), {}).get("calls-max", UNBOUNDED)
        ways = min(calls * bound, UNBOUNDED)
        found.append((parent, one["terms"], [f for f in one.get("functions", []) if any(applies(p, f) for p in terms["price"])], ways, most, None))
        uses_of(terms, one.get("dependencies", []), works, most, len(found) - 1, ways, found)
    return found
def package(terms): return terms["release"].split("@")[0]
def parts_of(terms, own, uses, works, ending, most):
    """The bill: a part for the release, and for each dependency that charges a payer, which is a part or the caller (None)."""
    parts = [{"terms": terms, "digest": None, "payer": None, "lines": own, "unpriced": {}}]
    places, charged = [], {}
    for parent, of, functions, calls, fuel, baseline in uses:
        above, part, payer = places[parent] if parent is not None else (terms, 0, None)
        if above.get("dependencies", {}).get(package(works[of]), {}).get("absorb"): payer = part
        if any(applies(price, f) for price in works[of]["price"] for f in functions):
            same = [i for i, p in enumerate(parts) if (p["digest"], p["payer"]) == (of, payer) and i]
            if not same: parts.append({"terms": works[of], "digest": of, "payer": payer, "lines": [], "unpriced": {}})
            part = same[0] if same else len(parts) - 1
            charged.setdefault(part, []).append((functions, calls, fuel))
        else:
            burnt, counted = parts[part]["unpriced"].get(of, (0, 0))
            counted = None if None in (counted, baseline) else counted + 4 * baseline * calls
            parts[part]["unpriced"][of] = burnt + fuel, counted
        places.append((works[of], part, payer))
    for index, used in charged.items():
        for price in parts[index]["terms"]["price"]:
            counted = [(calls, fuel) for functions, calls, fuel in used if any(applies(price, f) for f in functions)]
            calls, fuel = min(sum(c for c, _ in counted), UNBOUNDED), sum(f for _, f in counted)
            if not calls or price["unit"] not in ("call", "fuel") or not is_owed(price, ending): continue
            quantity = calls if price["unit"] == "call" else min(fuel, most)
            parts[index]["lines"].append({"dependency": parts[index]["terms"]["release"], "price": price["id"], "unit": price["unit"],
                                          "quantity": quantity, "amount": str(rated(price, None, quantity, calls))})
    return parts
def owed_by_caller(parts): return [line for part in parts if part["payer"] is None for line in part["lines"]]
def quoted(terms, name, most, account, linked=[], works={}):
    return owed_by_caller(parts_of(terms, own_lines(terms, name, most, account), uses_of(terms, linked, works, most), works, "returned", most))
def billed(terms, name, most, account, usage, inner=[], works={}):
    uses = [(node.get("parent"), node["terms"], [node["function"]], node["calls"], node["fuel"], node.get("fuelBaseline")) for node in inner]
    return parts_of(terms, own_lines(terms, name, most, account, usage), uses, works, usage["ending"], most)
def remainder(amount, weights, call):
    total = sum(weight for _, weight in weights)
    if not total: return []
    parts = [amount * weight // total for _, weight in weights]
    rest = sorted(range(len(parts)), key=lambda i: (-(amount * weights[i][1] % total), sha((call + weights[i][0]).encode())))
    for index in rest[: amount - sum(parts)]: parts[index] += 1
    return parts
def payable(work): return any(p["share"] for p in work["payees"])
def counted_of(u): return min(u["fuel"], ENDLESS if u.get("fuelCountedMax") is None else u["fuelCountedMax"], 250 * 10**9)
def divide(work, amount, used, depth, call, shares, most=5000):
    used, pool = [u for u in used if payable(u["work"])], work.get("pool", 0)
    pooled = [u for u in used if u.get("share") is None]
    if not any(map(counted_of, pooled)): pool = 0
    owed = [(r["to"], r["share"]) for r in work.get("royalties", []) if depth < 8 and payable(r["to"])] + [(u["work"], u["share"]) for u in used if u.get("share") is not None]
    weights = [("", max(10000 - pool - sum(share for _, share in owed), 0)), ("pool", pool)] + [(w.get("package", ""), share) for w, share in owed]
    own, pool, *rest = remainder(amount, weights, call)
    for (to, _), part in zip(owed, rest): divide(to, part, [], depth + 1, call, shares)
    for one, part in zip(pooled, remainder(pool, [(u["work"].get("package", ""), counted_of(u)) for u in pooled], call)):
        kept = min(part, pool * most // 10000)
        own += part - kept
        divide(one["work"], kept, [], depth + 1, call, shares)
    for payee, part in zip(work["payees"], remainder(own, [(p["id"], p["share"]) for p in work["payees"]], call)):
        shares.append({"to": {"payee": payee["id"]}, "amount": str(part)} | ({"through": work["package"]} if "package" in work else {}))
def split(charge, absorbed, fee_bps, work, used, call, most=5000):
    total = int(charge) * 10**6
    fee = total * min(fee_bps, 1500) // 10000 if payable(work) else total
    net = total - fee - int(absorbed) * 10**6
    if net < 0: raise ValueError("uncovered")
    shares = [{"to": "operator", "amount": str(fee)} | ({"through": work["package"]} if "package" in work else {})]
    if net: divide(work, net, used, 0, call, shares, most)
    return [share for share in shares if share["amount"] != "0"]
def work_of(terms, works, depth=0, ways=None):
    ways, owed = [] if ways is None else ways, [o for o in terms.get("derived-from", []) if depth < 8 and o["share"]]
    ways.extend(owed)
    if len(ways) > 32: raise ValueError("ways")
    royalties = [{"to": work_of(works[o["terms"]], works, depth + 1, ways), "share": o["share"]} for o in owed]
    return {"package": package(terms), "payees": terms["payee"], "royalties": royalties, "pool": terms.get("splits", {}).get("dependencies", 0)}
def split_bill(parts, fee_bps, works, call):
    shares = []
    for index, part in enumerate(parts):
        terms, used = part["terms"], []
        for of in sorted(part["unpriced"]):
            work, (fuel, counted) = work_of(works[of], works), part["unpriced"][of]
            used.append({"work": work, "fuel": fuel, "fuelCountedMax": counted})
        for name, promised in terms.get("dependencies", {}).items():
            releases = [one for one in used if one["work"]["package"] == name and payable(one["work"]) and "share" in promised]
            weights = [(name, max(counted_of(one), 1)) for one in releases]
            for one, share in zip(releases, remainder(promised.get("share"), weights, call)): one["share"] = share
        work, absorbed = work_of(terms, works), sum(worth(other["lines"]) for other in parts if other["payer"] == index)
        if index == 0: del work["package"]
        shares += split(worth(part["lines"]), absorbed, fee_bps, work, used, call)
    return shares
def tree(receipt):
    """Whether the call tree is one: of dependencies as they were linked, and of no more fuel than was burnt."""
    inner, at = receipt.get("inner", []), []
    def linked(among): return sum(1 + linked(one.get("dependencies", [])) for one in among)
    if linked(receipt.get("dependencies", [])) >= 32: return False
    for node in inner:
        among = (at[node["parent"]] if "parent" in node else receipt).get("dependencies", [])
        at.append(next(one for one in among if all(one[f] == node[f] for f in ("release", "component", "terms"))))
    return len(inner) <= 256 and sum(node["fuel"] for node in inner) <= receipt["fuelUsed"]
def request(receipt, opening, nonce, encoded):
    le, framed = lambda n: n.to_bytes(8, "little"), lambda data: len(data).to_bytes(8, "little") + data
    allowed = opening.get("grants")
    grants = le(0) if allowed is None else le(1 + len(allowed)) + b"".join(framed(g.encode()) for g in allowed)
    files = raw(receipt["files"]) if "files" in receipt else bytes(32)
    return sha(b"glassbox-request/1\0", raw(receipt["component"]), files, sha(canonical(opening["terms"])), sha(function(opening["functionType"]).encode()),
               le(receipt["fuelMax"]), framed(receipt["function"].encode()), framed((nonce or "").encode()), grants, encoded)

# The log.
def root(size, index, hashes, leaf):
    left, last, node = index, size - 1, sha(b"\0", leaf)
    if not 0 <= index <= last: raise ValueError("index")
    for other in hashes:
        if last == 0: raise ValueError("too many hashes")
        if left % 2 or left == last:
            node = sha(b"\1", other, node)
            while left % 2 == 0 and left: left, last = left // 2, last // 2
        else: node = sha(b"\1", node, other)
        left, last = left // 2, last // 2
    if last: raise ValueError("too few hashes")
    return node
def chunks(place): data = b64(place["hashes"]); return [data[i : i + 32] for i in range(0, len(data), 32)]
def checkpoint(note, keys):
    """The log's name, size and root in a signed note, once every key has signed it and nobody else has."""
    body, _, lines = note.rpartition("\n\n")
    body, lines, used = body + "\n", lines.splitlines(), 0
    for position, key in enumerate(keys):
        name, ident, public = key.split("+", 2)
        public, kind = b64(public)[1:], b"\1" if position == 0 else b"\4"
        if b64(key.split("+", 2)[2])[:1] != kind or sha(name.encode() + b"\n" + kind + public)[:4].hex() != ident: raise ValueError("key")
        for line in lines:
            _, who, signature = line.split(" ")
            signature = b64(signature)
            if who != name or signature[:4].hex() != ident: continue
            time, message = signature[4:-64], body.encode()
            if position: message = b"cosignature/v1\ntime %d\n" % int.from_bytes(time, "big") + message
            if not signed(public, message, signature[-64:]): raise ValueError("not signed by " + name)
            used += 1
    origin, size, hash_ = body.splitlines()[:3]
    if not keys or used != len(lines) or used != len(keys) or origin != keys[0].split("+")[0]: raise ValueError("signatures")
    return origin, int(size), b64(hash_)

def verify(bundle, trust={}):
    """The names of the checks that fail; none where the bundle holds."""
    fails = []
    def check(name, test):
        try: holds = test()
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, StopIteration, ArithmeticError): holds = False
        if not holds: fails.append(name)
    old, opening = bundle["format"] == "glassbox-bundle/1", bundle["opening"]
    extra = set(bundle) - {"format", "receipt", "opening", "proof"} | set(opening) - {"salt", "functionType", "nonce", "args", "output", "transcript", "grants", "terms", "works"} \
        | set(bundle.get("proof", {})) - {"batch", "entry", "terms", "checkpoint", "keys"}
    if extra: return ["file"]
    check("format", lambda: bundle["format"] == "glassbox-bundle/2" or (old and "proof" not in bundle))
    try:
        key = trust.get("executor") or bundle["receipt"]["signatures"][0]["keyid"]
        statement = envelope(bundle["receipt"], key, "execution-receipt")
        receipt = statement["predicate"]
        if receipt["executor"] != key or not isinstance(receipt.get("critical", []), list): raise ValueError("executor")
    except (ValueError, KeyError, TypeError, IndexError): return fails + ["signature"]
    outcome, ty, terms, payment = receipt["outcome"], opening["functionType"], opening["terms"], receipt.get("payment")
    about = {"name": "output", "digest": outcome.get("output")} if outcome["type"] == "returned" else {"name": "component", "digest": receipt["component"]}
    check("subject", lambda: statement["subject"] == [{"name": about["name"], "digest": {"sha256": about["digest"][7:]}}])
    check("critical", lambda: not receipt.get("critical"))
    check("function type", lambda: digest(function(ty).encode()) == receipt["functionType"])
    if not (len(opening["salt"]) == 64 and set(opening["salt"]) <= set("0123456789abcdef")): return fails + ["input"]
    salt, salted = bytes.fromhex(opening["salt"]), lambda what, data: digest(salt, what, b"\0", data)
    encoded = lambda: arguments(opening["args"], ty)
    check("input", lambda: salted(b"input", encoded()) == receipt["input"])
    asked = lambda: request(receipt, opening, opening.get("nonce") if old else receipt.get("nonce"), encoded())
    check("request", lambda: ("sha256:" + asked().hex() if old else salted(b"request", asked())) == receipt["request"])
    result = lambda: encode(opening["output"], ty["result"]) if ty.get("result") else b""
    check("output", lambda: salted(b"output", result()) == outcome["output"] if outcome["type"] == "returned" else "output" not in opening)
    def observed():
        if receipt["pure"]: return "transcript" not in receipt and "transcript" not in opening
        head, entries = sha(b"glassbox transcript v1\n"), opening["transcript"]["entries"]
        for entry in entries:
            parts = entry["import"].encode(), b64(entry["args"]), b64(entry["result"])
            head = sha(head, *(len(part).to_bytes(4, "big") + part for part in parts))
        return receipt["transcript"] == {"head": "sha256:" + head.hex(), "entries": len(entries), "trust": "executor"}
    check("transcript", observed)
    if receipt.get("dependencies") or receipt.get("inner"): check("call tree", lambda: tree(receipt))
    check("terms", lambda: digest(canonical(terms)) == receipt["terms"] and terms["release"] == receipt["release"])
    charged = ("out-of-fuel", "trap", "memory-exceeded", "output-refused", "not-granted", "too-many-calls")
    ending = "returned" if outcome["type"] == "returned" else "guest-failed" if outcome["failure"] in charged else "aborted"
    used, most, own = receipt["fuelUsed"], receipt["fuelMax"], "terms" not in fails
    usage = lambda: {"fuel": used, "ending": ending, "bytesIn": len(encoded()), "bytesOut": len(result()) if ending == "returned" else 0,
                     "waitMs": receipt.get("waitMs", 0), "events": receipt.get("events", {})}
    works, inner = opening.get("works", {}), receipt.get("inner", [])
    def parts():
        if any(digest(canonical(work)) != of for of, work in works.items()): raise ValueError("works")
        if "call tree" in fails: raise ValueError("call tree")
        made = billed(terms, receipt["function"], most, receipt.get("account", {}), usage(), inner, works)
        quote = quoted(terms, receipt["function"], most, receipt.get("account", {}), receipt.get("dependencies", []), works)
        if worth(owed_by_caller(made)) > worth(quote): raise ValueError("quote")
        return made
    def charge():
        lines = owed_by_caller(parts())
        return {"lines": lines, "amount": str(worth(lines))}
    try: billable = bool(own and used <= most and parts())
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, ArithmeticError): billable = False
    check("charge", lambda: billable and charge() == receipt["charge"])
    if billable:
        check("split", lambda: receipt["feeBps"] <= 1500 and split_bill(parts(), receipt["feeBps"], works, receipt["call"]) == receipt["split"])
        paid, back = (int(payment["amount"]), int(payment["refund"])) if payment else (0, 0)
        ceiling = lambda: worth(quoted(terms, receipt["function"], most, {}, receipt.get("dependencies", []), works))
        check("payment", lambda: paid - back == int(charge()["amount"]) and paid <= ceiling())
    if "proof" not in bundle: return fails + (["log"] if trust.get("log") else [])
    proof, seen = bundle["proof"], receipt["checkpoint"]
    batch, place = proof["batch"], proof["batch"]["place"]
    try:
        if trust.get("log") not in (None, proof["keys"][0]): raise ValueError("another log")
        origin, size, top = checkpoint(proof["checkpoint"], proof["keys"])
        if origin != seen["origin"] or seen["size"] > size: raise ValueError("another log")
    except (ValueError, KeyError, TypeError, IndexError): return fails + ["log"]
    def included():
        tree = root(batch["count"], place["index"], chunks(place), sha(b64(bundle["receipt"]["payload"])))
        said = {"executor": key, "from": batch["from"], "count": batch["count"], "root": "sha256:" + tree.hex()}
        about = [{"name": key, "digest": {"sha256": sha(key.encode()).hex()}}]
        statement = {"_type": "https://in-toto.io/Statement/v1", "subject": about,
                     "predicateType": "https://glassbox.dev/attestation/receipt-batch/v1", "predicate": said}
        payload = base64.b64encode(json.dumps(statement, separators=(",", ":")).encode()).decode()
        dsse = {"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": key, "sig": batch["signature"]}]}
        envelope(dsse, key, "receipt-batch")
        entry = {"type": "receipts", "statement": dsse} | ({"previous": batch["previous"]} if "previous" in batch else {})
        return root(size, proof["entry"]["index"], chunks(proof["entry"]), canonical(entry)) == top
    check("inclusion", included)
    def priced():
        entry, index = json.loads(proof["terms"]["entry"]), proof["terms"]["place"]["index"]
        leaf = root(size, index, chunks(proof["terms"]["place"]), proof["terms"]["entry"].encode())
        kind, said = {"release": "release", "terms": "terms-change"}[entry["type"]], None
        for signature in entry["statement"]["signatures"]:
            said = envelope(entry["statement"] | {"signatures": [signature]}, signature["keyid"], kind)["predicate"]
        if kind == "terms-change": said = said | {"terms": digest(canonical(said["terms"]))}
        own = (e["component"] for e in said.get("editions", {}).values() if any(names(export, receipt["function"]) for export in e["exports"]))
        said = said | {"component": next(own, said["component"])}
        fields = ("release", "terms", "component", "files") + (("manifest",) if "manifest" in receipt else ())
        pins = [{f: one[f] for f in ("release", "component", "terms")} for one in receipt.get("dependencies", [])]
        same = all(said.get(f) == receipt.get(f) for f in fields) and said.get("dependencies", []) == pins
        return leaf == top and index < seen["size"] and same
    if proof.get("terms"): check("price", priced)
    return fails

def vectors(folder):
    load = lambda name: json.loads((folder / name).read_text())
    count = 0
    for name in ("scalars", "compounds"):
        for vector in load(f"value/{name}.json")["values"]:
            for value in [vector["json"]] + vector.get("also", []):
                assert (text(vector["type"]), encode(value, vector["type"]).hex()) == (vector["text"], vector["hex"]), vector
            count += 1
    for vector in load("value/functions.json")["functions"]:
        assert (function(vector["type"]), digest(function(vector["type"]).encode())) == (vector["text"], vector["digest"]), vector
        assert arguments(vector["args"], vector["type"]).hex() == vector["args_hex"], vector
    for vector in load("split/waterfall.json"):
        found = split(vector["charge"], vector.get("absorbed", "0"), vector["feeBps"], vector["work"], vector["used"], vector["call"], vector.get("poolShareBpsMax", 5000))
        assert found == vector["shares"], vector["name"]
    vector = load("split/starvation.json")
    weights, charge = [(payee["id"], payee["share"]) for payee in vector["payees"]], int(vector["charge"])
    for unit, found in ((1, vector["atomic"]), (10**6, vector["pico"])):
        parts = [remainder(charge * unit, weights, str(call)) for call in range(vector["calls"])]
        assert [str(sum(one)) for one in zip(*parts)] == found, vector
    bills = load("bill/bills.json")
    for case in bills["bills"]:
        terms, quote = bills["terms"][case["model"]], case["quote"]
        known = terms, quote["function"], quote["fuel_max"], quote.get("account", {})
        assert digest(canonical(terms)) == quote["terms"], case
        for found, lines in ((quote, quoted(*known)), (case["charge"], owed_by_caller(billed(*known, case["usage"])))):
            assert (found["lines"], found.get("amount_max", found.get("amount"))) == (lines, str(worth(lines))), (case, lines)
        count += 1
    for case in load("bill/imports.json"):
        terms, works, quote = case["terms"], case["works"], case["quote"]
        known = terms, quote["function"], quote["fuel_max"], {}
        assert all(digest(canonical(work)) == of for of, work in works.items()), case["name"]
        parts = billed(*known, case["usage"], case["inner"], works)
        for found, lines in ((quote, quoted(*known, case["dependencies"], works)), (case["charge"], owed_by_caller(parts))):
            assert (found["lines"], found.get("amount_max", found.get("amount"))) == (lines, str(worth(lines))), (case["name"], lines)
        assert split_bill(parts, case["feeBps"], works, case["call"]) == case["shares"], case["name"]
        count += 1
    for case in load("bill/sales.json"):
        efforts = {of: (effort["fuel"], effort.get("fuelCountedMax")) for of, effort in case["efforts"].items()}
        part = {"terms": case["terms"], "digest": None, "payer": None, "lines": [{"amount": case["amount"]}], "unpriced": efforts}
        assert split_bill([part], case["feeBps"], case["works"], case["call"]) == case["shares"], case["name"]
        count += 1
    for name in ("format-1", "signed", "logged", "repriced"): assert verify(load(f"receipt/{name}.json")) == [], name
    assert verify(load("receipt/logged.json"), load("receipt/trust.json")) == []
    for case in load("receipt/refused.json"):
        fails = verify(case["bundle"])
        assert fails == case["fails"], (case["name"], fails, case["fails"])
        count += 1
    print(f"{count + 5} vectors hold")

if __name__ == "__main__":
    if sys.argv[1:] == ["--vectors"]: vectors(Path(__file__).parent)
    for path in [] if sys.argv[1:] == ["--vectors"] else sys.argv[1:]:
        found = verify(json.loads(Path(path).read_text()))
        print(path, "holds" if not found else "does not hold: " + ", ".join(found))
        if found: sys.exit(1)
