"""Makes the vectors of this folder, from the specifications alone: nothing of Glassbox is used.

    python3 generate.py        # wants the package `cryptography`
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = Path(__file__).parent
EMPTY = bytes(32)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def digest(hash):
    return "sha256:" + hash.hex()


def b64(data):
    return base64.b64encode(data).decode()


def write(name, document):
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (HERE / name).write_text(text + "\n", encoding="utf-8")


# The tree: RFC 6962, section 2.1.


def leaf(entry):
    return sha256(b"\0", entry)


def split(size):
    return 1 << (size - 1).bit_length() - 1


def root(leaves):
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return sha256(b"\1", root(leaves[:k]), root(leaves[k:]))


def inclusion(index, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return inclusion(index, leaves[:k]) + [root(leaves[k:])]
    return inclusion(index - k, leaves[k:]) + [root(leaves[:k])]


def consistency(old, leaves, whole=True):
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if old <= k:
        return consistency(old, leaves[:k], whole) + [root(leaves[k:])]
    return consistency(old - k, leaves[k:], False) + [root(leaves[:k])]


# Tiles: C2SP tlog-tiles.


def path(level, number, width):
    groups = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        groups.insert(0, f"x{number % 1000:03}")
    return f"tile/{level}/" + "/".join(groups) + ("" if width == 256 else f".p/{width}")


def tiles(leaves, entries):
    files, level, hashes = {}, 0, leaves
    while hashes:
        for start in range(0, len(hashes), 256):
            tile = hashes[start : start + 256]
            files[path(level, start // 256, len(tile))] = b"".join(tile)
        full = range(0, len(hashes) - len(hashes) % 256, 256)
        hashes = [root(hashes[start : start + 256]) for start in full]
        level += 1
    for start in range(0, len(entries), 256):
        part = entries[start : start + 256]
        files[path("entries", start // 256, len(part))] = bundle(part)
    return files


def bundle(entries):
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


# Checkpoints: C2SP signed-note, tlog-checkpoint, tlog-cosignature.


class Key:
    def __init__(self, seed, name=""):
        self.name = name
        self.secret = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self.secret.public_key().public_bytes_raw()

    def id(self, algorithm):
        return sha256(self.name.encode(), b"\n", bytes([algorithm]), self.public)[:4]

    def verifier(self, algorithm):
        return f"{self.name}+{self.id(algorithm).hex()}+{b64(bytes([algorithm]) + self.public)}"

    def line(self, algorithm, signature):
        return f"\u2014 {self.name} {b64(self.id(algorithm) + signature)}\n"

    def sign(self, text):
        return self.line(1, self.secret.sign(text.encode()))

    def cosign(self, text, time):
        message = f"cosignature/v1\ntime {time}\n{text}".encode()
        return self.line(4, time.to_bytes(8, "big") + self.secret.sign(message))

    def did(self):
        return "did:key:z" + base58(b"\xed\x01" + self.public)


def base58(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        text = alphabet[rest] + text
    return text


def text(origin, size, root, extension=""):
    return f"{origin}\n{size}\n{b64(root)}\n{extension}"


# The map: docs/protocol.md, "Log".


def bit(key, depth):
    return key[depth // 8] >> (7 - depth % 8) & 1


def map_leaf(key, value):
    return sha256(b"\2", key, value)


def map_root(leaves, depth=0):
    if not leaves:
        return EMPTY
    if len(leaves) == 1:
        return map_leaf(*leaves[0])
    halves = [[leaf for leaf in leaves if bit(leaf[0], depth) == side] for side in (0, 1)]
    return sha256(b"\3", *(map_root(half, depth + 1) for half in halves))


def map_proof(leaves, key):
    siblings, depth = [], 0
    while len(leaves) > 1:
        side = bit(key, depth)
        siblings.append(digest(map_root([leaf for leaf in leaves if bit(leaf[0], depth) != side], depth + 1)))
        leaves = [leaf for leaf in leaves if bit(leaf[0], depth) == side]
        depth += 1
    proof = {"siblings": siblings}
    if leaves and leaves[0][0] != key:
        proof["other"] = {"key": digest(leaves[0][0]), "value": digest(leaves[0][1])}
    return proof


def canonical(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Story:
    """Entries, and what they add up to."""

    def __init__(self, key):
        self.key, self.entries, self.standings = key, [], {}

    def say(self, kind, about, subject, predicate_type, predicate):
        payload = json.dumps(
            {
                "_type": "https://in-toto.io/Statement/v1",
                "subject": [subject],
                "predicateType": f"https://glassbox.dev/attestation/{predicate_type}/v1",
                "predicate": predicate,
            }
        ).encode()
        media_type = "application/vnd.in-toto+json"
        message = f"DSSEv1 {len(media_type)} {media_type} {len(payload)} ".encode() + payload
        signature = {"keyid": self.key.did(), "sig": b64(self.key.secret.sign(message))}
        statement = {"payload": b64(payload), "payloadType": media_type, "signatures": [signature]}
        entry = {"type": kind, "statement": statement}
        standing = self.standings.get(about)
        if standing:
            entry["previous"] = standing["head"]
        entry = canonical(entry)
        self.entries.append(entry)
        standing = standing or {"entries": 0, "yanked": [], "quarantined": [], "terms": {}}
        self.standings[about] = standing | {"head": digest(sha256(entry)), "entries": standing["entries"] + 1}
        return self.standings[about]

    def release(self, package, version):
        terms = digest(sha256(f"terms of {package} {version}".encode()))
        other = digest(sha256(b"bytes"))
        subject = {"name": f"{package.split(':')[1]}.wasm", "digest": {"sha256": other[7:]}}
        predicate = {"release": f"{package}@{version}", "terms": terms}
        predicate |= {layer: other for layer in ("manifest", "wit", "tests", "component")}
        standing = self.say("release", package, subject, "release", predicate)
        standing["terms"] = standing["terms"] | {version: terms}
        self.latest(standing)

    def act(self, kind, flag, package, version, value):
        release = f"{package}@{version}"
        subject = {"name": release, "digest": {"sha256": sha256(release.encode()).hex()}}
        predicate = {"release": release, flag: value, "reason": "", "sequence": 1}
        standing = self.say(kind, package, subject, kind, predicate)
        others = [other for other in standing[flag] if other != version]
        standing[flag] = sorted(others + [version] * value, key=precedence)
        self.latest(standing)

    def revoke(self, namespace, key):
        subject = {"name": namespace, "digest": {"sha256": sha256(namespace.encode()).hex()}}
        predicate = {"namespace": namespace, "key": key.did(), "reason": "lost"}
        self.say("key", namespace, subject, "key-revocation", predicate)

    @staticmethod
    def latest(standing):
        stopped = standing["yanked"] + standing["quarantined"]
        standing.pop("latest", None)
        versions = sorted((v for v in standing["terms"] if v not in stopped), key=precedence)
        full = [version for version in versions if "-" not in version]
        if versions:
            standing["latest"] = (full or versions)[-1]

    def leaves(self):
        return [(sha256(about.encode()), sha256(canonical(s))) for about, s in sorted(self.standings.items())]


def precedence(version):
    """Enough of semantic versioning for the versions here."""
    core, _, pre = version.partition("-")
    return [int(part) for part in core.split(".")], pre == "", pre


def tree_vectors():
    entries = [f"entry {n}".encode() for n in range(600)]
    leaves = [leaf(entry) for entry in entries]
    sizes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255, 256, 257, 300, 511, 512, 513, 600]
    pairs = [(1, 2), (1, 8), (2, 3), (3, 7), (4, 8), (6, 8), (7, 9), (255, 257), (256, 512), (256, 600), (300, 600), (512, 600), (599, 600)]
    places = [(0, 1), (0, 2), (1, 2), (2, 3), (3, 7), (6, 7), (0, 256), (255, 256), (256, 257), (17, 600), (511, 600), (599, 600)]
    files = {size: tiles(leaves[:size], entries[:size]) for size in (1, 256, 300, 600)}
    write(
        "tree.json",
        {
            "leaves": [digest(hash) for hash in leaves[:5]],
            "roots": [{"size": size, "root": digest(root(leaves[:size]))} for size in sizes],
            "inclusion": [
                {"index": i, "size": n, "hashes": [digest(hash) for hash in inclusion(i, leaves[:n])]} for i, n in places
            ],
            "consistency": [
                {"old": m, "new": n, "hashes": [digest(hash) for hash in consistency(m, leaves[:n])]} for m, n in pairs
            ],
            "tiles": [
                {"size": size, "files": {path: digest(sha256(data)) for path, data in sorted(part.items())}}
                for size, part in files.items()
            ],
        },
    )
    packed = bundle([b"ab", b"", b"c" * 300])
    write(
        "tiles.json",
        {
            "paths": [
                "tile/0/000", "tile/0/000.p/1", "tile/0/000.p/255", "tile/1/x001/x234/067", "tile/entries/273.p/67",
                "tile/entries/x001/000", "tile/7/000.p/3", "tile/0/x018/x446/x744/x073/x709/x551/615",
            ],
            "refused-paths": [
                "", "tile", "tile/", "tile/0", "tile/0/", "tile/0/0", "tile/0/00", "tile/0/0000", "tile/00/000",
                "tile/+0/000", "tile/-1/000", "tile/64/000", "tile/x/000", "tile/0/x000/000", "tile/0/001/000",
                "tile/0/x01/000", "tile/0/x001/x000", "tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0",
                "tile/0/000.p/01", "tile/0/000.p/256", "tile/0/000.p/1/1", "tile/0/000/", "/tile/0/000", "tile//000",
                "tile/0/1000", "tile/0/+01", "tile/0/../0/000", "tile/entries/", "tile/data/000", "tile/8/0/000",
                "tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/000 ", "tile/0/%30%30%30",
            ],
            "bundles": [
                {"hex": "", "entries": []},
                {"hex": packed.hex(), "entries": ["ab", "", "c" * 300]},
            ],
            "refused-bundles": [packed[:1].hex(), packed[:3].hex(), packed[:-1].hex(), "0005" + "61" * 4, "ffff00"],
        },
    )


def checkpoint_vectors():
    log, witness, stranger = Key(3, "example.org/log"), Key(9, "witness.example/w1"), Key(5, "example.org/log")
    leaves = [leaf(f"entry {n}".encode()) for n in range(600)]
    fork = leaves[:6] + [leaf(b"another")]
    line, time = f"map {digest(sha256(b'map'))}\n", 1_795_305_600
    body = {n: text(log.name, n, root(leaves[:n]), line) for n in (0, 5, 7, 600)}
    plain = text(log.name, 5, root(leaves[:5]))
    signed = {n: f"{b}\n{log.sign(b)}{log.cosign(b, time)}" for n, b in body.items()}

    def note(text, *lines):
        return text + "\n" + "".join(lines)

    def seen(size, time=time):
        return {"size": size, "root": digest(root(leaves[:size])), "map": digest(sha256(b"map")), "time": time}

    forked = text(log.name, 7, root(fork), line)
    other = text("example.org/other", 5, root(leaves[:5]), line)
    own, timed = log.sign(body[5]), log.cosign(body[5], time)
    write(
        "checkpoints.json",
        {
            "log": log.verifier(1),
            "witness": witness.verifier(4),
            "notes": [
                {"note": signed[n], **seen(n)} for n in (0, 5, 7, 600)
            ]
            + [
                {"note": note(body[5], own), **seen(5, None)},
                {"note": note(plain, log.sign(plain)), **seen(5, None), "map": None},
                {"note": note(body[5], own, timed, witness.cosign(body[5], time + 7)), **seen(5), "witnessed": time + 7},
                {"note": note(body[5], stranger.sign(body[5]), own, timed), **seen(5)},
            ],
            "refused": [
                {"why": "nobody signed it", "note": body[5] + "\n"},
                {"why": "another key of the same name signed it", "note": note(body[5], stranger.sign(body[5]))},
                {"why": "only its time is signed", "note": note(body[5], timed)},
                {"why": "another size", "note": signed[5].replace("\n5\n", "\n6\n")},
                {"why": "another map", "note": signed[5].replace(line, f"map {digest(sha256(b'x'))}\n")},
                {"why": "another time than was signed", "note": note(body[5], own, log.cosign(body[5], time).replace("AAAABrAjCA", "AAAABrAjCB"))},
                {"why": "the signature of another checkpoint", "note": note(body[5], log.sign(body[7]))},
                {"why": "a checkpoint of another log", "note": note(other, log.sign(other))},
                {"why": "two maps", "note": note(body[5] + line, log.sign(body[5] + line))},
                {"why": "no blank line", "note": body[5] + own},
                {"why": "cut off", "note": signed[5][:-1]},
                {"why": "a size with a leading zero", "note": (lambda t: note(t, log.sign(t)))(body[5].replace("\n5\n", "\n05\n"))},
                {"why": "empty", "note": ""},
            ],
            "witness-refused": [
                {"why": "the cosignature of another checkpoint", "note": note(body[5], own, witness.cosign(body[7], time))},
                {"why": "a cosignature without a time", "note": note(body[5], own, witness.line(4, witness.secret.sign(body[5].encode())))},
            ],
            "continued": [
                {"seen": signed[m], "shown": signed[n], "proof": [digest(h) for h in (consistency(m, leaves[:n]) if 0 < m < n else [])]}
                for m, n in ((0, 0), (0, 5), (5, 5), (5, 7), (7, 600))
            ],
            "not-continued": [
                {"why": "rolled back", "seen": signed[7], "shown": signed[5], "proof": [digest(h) for h in consistency(5, leaves[:7])]},
                {"why": "rolled back to nothing", "seen": signed[5], "shown": signed[0], "proof": []},
                {"why": "forked at the same size", "seen": signed[7], "shown": note(forked, log.sign(forked)), "proof": []},
                {"why": "forked", "seen": note(forked, log.sign(forked)), "shown": signed[600], "proof": [digest(h) for h in consistency(7, leaves)]},
                {"why": "without a proof", "seen": signed[5], "shown": signed[600], "proof": []},
                {"why": "with more than the proof", "seen": signed[5], "shown": signed[5], "proof": [digest(leaves[0])]},
            ],
        },
    )


def map_vectors():
    story = Story(Key(1))
    steps = [
        lambda: story.release("lab:bench", "1.0.0"),
        lambda: story.release("lab:bench", "1.2.0"),
        lambda: story.release("text:slugify", "0.1.0-rc.1"),
        lambda: story.act("yank", "yanked", "lab:bench", "1.2.0", True),
        lambda: story.revoke("lab", Key(2)),
        lambda: story.release("lab:bench", "2.0.0-rc.1"),
        lambda: story.act("quarantine", "quarantined", "lab:bench", "1.0.0", True),
        lambda: story.act("yank", "yanked", "lab:bench", "1.2.0", False),
    ] + [lambda n=n: story.release(f"many:p{n}", "1.0.0") for n in range(40)]
    roots = [{"entries": 0, "root": digest(map_root(story.leaves()))}]
    for step in steps:
        step()
        roots.append({"entries": len(story.entries), "root": digest(map_root(story.leaves()))})
    leaves = story.leaves()
    shown = ["lab", "lab:bench", "text:slugify", "many:p0", "many:p39"]
    absent = ["lab:nothing", "nobody", "many:p40", Key(7).did()]
    proofs = [
        {"about": about, "standing": story.standings.get(about), "proof": map_proof(leaves, sha256(about.encode()))}
        for about in shown + absent
    ]
    of = {proof["about"]: proof for proof in proofs}
    stale = story.standings["lab:bench"] | {"latest": "2.0.0-rc.1"}
    longer = {"siblings": of["lab"]["proof"]["siblings"] + [digest(EMPTY)]}
    write(
        "map.json",
        {
            "entries": [entry.decode() for entry in story.entries],
            "roots": roots,
            "standings": [
                {"about": about, "standing": story.standings[about], "digest": digest(sha256(canonical(story.standings[about])))}
                for about in shown
            ],
            "proofs": proofs,
            "refused": [
                {"why": "another standing", "about": "lab:bench", "standing": stale, "proof": of["lab:bench"]["proof"]},
                {"why": "said to be absent, and is there", "about": "lab", "standing": None, "proof": of["lab"]["proof"]},
                {"why": "hidden behind the absence of another", "about": "lab", "standing": None, "proof": of["nobody"]["proof"]},
                {"why": "the proof of another", "about": "lab", "standing": story.standings["lab"], "proof": of["lab:bench"]["proof"]},
                {"why": "absent, and said to be there", "about": "nobody", "standing": story.standings["lab"], "proof": of["nobody"]["proof"]},
                {"why": "a half with nothing beside it", "about": "lab", "standing": story.standings["lab"], "proof": longer},
                {"why": "no way at all", "about": "lab", "standing": story.standings["lab"], "proof": {"siblings": []}},
            ],
        },
    )


if __name__ == "__main__":
    tree_vectors()
    checkpoint_vectors()
    map_vectors()
