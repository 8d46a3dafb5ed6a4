"""Makes log.json, from the specifications alone: nothing of Glassbox is used.

    python3 generate.py        # wants the package `cryptography`
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "log"))

from generate import Key, digest, leaf, root, sha256, text  # noqa: E402

LOG = Key(3, "example.org/log")
STRANGER = Key(5, "example.org/log")
WITNESSES = {n: Key(20 + n, f"witness.example/w{n}") for n in range(1, 6)}
TIME = 1_795_305_600
# Clocks may differ by this many seconds.
TOLERANCE = 600

LEAVES = [leaf(f"entry {n}".encode()) for n in range(7)]
MAP = f"map {digest(sha256(b'map'))}\n"
BODY = {n: text(LOG.name, n, root(LEAVES[:n]), MAP) for n in (5, 7)}


def note(*lines, body=BODY[5]):
    return body + "\n" + "".join(lines)


def cosigned(by, time=TIME, log_time=TIME):
    """The checkpoint of five entries; `by` says which witnesses cosigned it and when."""
    own = [LOG.cosign(BODY[5], log_time)] if log_time else []
    return note(LOG.sign(BODY[5]), *own, *(WITNESSES[n].cosign(BODY[5], at) for n, at in by))


def at(by, time=TIME):
    return [(n, time) for n in by]


def witness_line(n):
    return f"witness w{n} {WITNESSES[n].verifier(4)}\n"


def policy(quorum, witnesses=range(1, 6)):
    return f"log {LOG.verifier(1)}\n" + "".join(map(witness_line, witnesses)) + quorum


ALONE = policy("quorum none\n", [])
TWO_OF_THREE = policy("group two 2 w1 w2 w3\nquorum two\n", [1, 2, 3])
NESTED = policy("group x 2 w1 w2 w3\ngroup y any w4 w5\ngroup both all x y\nquorum both\n")


def judged(why, policy, note, result, witnesses=(), fresh=None):
    vector = {"why": why, "policy": policy, "note": note, "result": result}
    if result == "trusted":
        vector["witnesses"] = [f"w{n}" for n in witnesses]
    if fresh:
        vector["nowS"], vector["ageSecondsMax"] = fresh
    return vector


def judgements():
    yield judged("the log alone", ALONE, cosigned([]), "trusted")
    yield judged("the log alone, without a time", ALONE, cosigned([], log_time=None), "trusted")
    yield judged("a witness more than is asked for", ALONE, cosigned(at([1])), "trusted")
    yield judged("another key of the log's name", ALONE, note(STRANGER.sign(BODY[5])), "unknown-log")
    yield judged("nobody's signature", ALONE, note(), "unknown-log")
    yield judged("no note", ALONE, "no note", "unknown-log")
    one = policy("quorum w1\n", [1])
    yield judged("the one witness", one, cosigned(at([1])), "trusted", [1])
    yield judged("another witness", one, cosigned(at([2])), "too-few-witnesses")
    for by in [], [1], [3]:
        yield judged(f"{len(by)} of three", TWO_OF_THREE, cosigned(at(by)), "too-few-witnesses")
    for by in [1, 2], [1, 3], [2, 3], [1, 2, 3]:
        yield judged(f"{len(by)} of three", TWO_OF_THREE, cosigned(at(by)), "trusted", by)
    yield judged("in another order", TWO_OF_THREE, cosigned(at([3, 1])), "trusted", [1, 3])
    yield judged("one witness twice", TWO_OF_THREE, cosigned(at([1]) + at([1], TIME + 1)), "too-few-witnesses")
    moved = WITNESSES[2].cosign(BODY[7], TIME)
    yield judged(
        "a cosignature of another checkpoint", TWO_OF_THREE,
        cosigned(at([1])) + moved, "too-few-witnesses",
    )
    plain = WITNESSES[2].sign(BODY[5])
    yield judged("a signature without a time", TWO_OF_THREE, cosigned(at([1])) + plain, "too-few-witnesses")
    for by, enough in (
        ([1, 2], False), ([4, 5], False), ([1, 4], False), ([1, 2, 3], False),
        ([1, 3, 5], True), ([2, 3, 4], True), ([1, 2, 3, 4, 5], True),
    ):
        result = "trusted" if enough else "too-few-witnesses"
        yield judged("groups of groups", NESTED, cosigned(at(by)), result, by)
    # How old the signatures are: the newest of those that the quorum needs must be young enough, one by one.
    note_of_three = cosigned([(1, TIME), (2, TIME + 50), (3, TIME - 100)])
    for now, result in (
        (TIME + 50, "trusted"), (TIME + 100, "trusted"), (TIME + 101, "frozen"), (TIME + 5_000, "frozen"),
        (TIME + 50 - TOLERANCE, "trusted"), (TIME - 1 - TOLERANCE, "frozen"),
    ):
        yield judged("its age", TWO_OF_THREE, note_of_three, result, [1, 2, 3], (now, 100))
    for log_time, result in ((TIME, "trusted"), (TIME - 101, "frozen"), (None, "frozen")):
        vector = cosigned([], log_time=log_time)
        yield judged("the age by the log's own word", ALONE, vector, result, [], (TIME, 100))


def refused():
    keys = {n: WITNESSES[n].verifier(4) for n in WITNESSES}
    log = LOG.verifier(1)
    renamed = Key(21, "other.name").verifier(4)
    for why, line, text in (
        ("no quorum", 1, ""),
        ("two quorums", 2, "quorum none\nquorum none\n"),
        ("a quorum of nobody known", 1, "quorum w1\n"),
        ("a quorum before its witness", 1, f"quorum w1\nwitness w1 {keys[1]}\n"),
        ("a witness named none", 1, f"witness none {keys[1]}\nquorum none\n"),
        ("two witnesses of one name", 2, f"witness w {keys[1]}\nwitness w {keys[2]}\nquorum w\n"),
        ("one witness under two names", 2, f"witness a {keys[1]}\nwitness b {renamed}\nquorum a\n"),
        ("one log twice", 2, f"log {log}\nlog {log}\nquorum none\n"),
        ("a log's key for a witness", 1, f"witness w {log}\nquorum w\n"),
        ("a witness' key for a log", 1, f"log {keys[1]}\nquorum none\n"),
        ("no key", 1, "log x+y+z\nquorum none\n"),
        ("a group that wants more than it has", 2, f"witness w {keys[1]}\ngroup g 2 w\nquorum g\n"),
        ("a group that wants none", 2, f"witness w {keys[1]}\ngroup g 0 w\nquorum g\n"),
        ("a group of nobody", 2, f"witness w {keys[1]}\ngroup g all\nquorum g\n"),
        ("a group that wants some", 2, f"witness w {keys[1]}\ngroup g some w\nquorum g\n"),
        ("a witness twice in a group", 2, f"witness w {keys[1]}\ngroup g any w w\nquorum g\n"),
        ("a witness in two groups", 3, f"witness w {keys[1]}\ngroup g any w\ngroup h any w\nquorum g\n"),
        ("a group in itself", 1, "group g any g\nquorum g\n"),
        ("a group of `none`", 1, "group g any none\nquorum none\n"),
        ("an unknown line", 1, "trust everybody\nquorum none\n"),
        ("a carriage return", 1, "quorum none\r\n"),
    ):
        yield {"why": why, "line": line, "policy": text}


document = {"judged": list(judgements()), "refused": list(refused())}
(HERE / "log.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
