"""Check a proof of `lauter audit DIR --prove URL`. Needs Python and nothing else, not even Lauter.

    python verify_proof.py proof.json ROOT [URL or doc_id]

ROOT is the root of the corpus, from where it was published, not from who gave you the proof. The proof says what it is
about as Lauter writes it: scheme and host in lower case, no default port, no fragment. The URL given here must be that,
or become it by just these: lower-case scheme and host, `/` for an empty path, no fragment.

Exit 0: proved. 1: not proved, do not believe it. 2: nothing was checked: an argument is missing or wrong, or the file
is no proof of this format.
"""

import hashlib
import json
import sys
from itertools import pairwise
from typing import Any

NAMES = {"format", "subject", "doc_id", "root", "ledger_root", "corpus", "range", "ranges", "leaves", "path", "rows"}


class NotAProof(ValueError):
    """What was given is no proof of this format, or no root, so there is nothing to check."""


def need(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition, like that of `assert`
    """Raise `ValueError` where something does not hold."""
    if not holds:
        raise ValueError(otherwise)


def sha(*parts: bytes) -> bytes:
    """SHA-256 of the parts, one after the other."""
    return hashlib.sha256(b"".join(parts)).digest()


def raw(digits: str) -> bytes:
    """A hash or key; were its length free, a key's last byte could pass for the first of a row text."""
    found = bytes.fromhex(digits)
    need(found.hex() == digits and len(found) == 32, "a hash is not written as 64 lower-case hex digits")
    return found


def climb(node: bytes, place: int, count: int, path: list[str]) -> bytes:
    """The root of a tree of `count` leaves that has this one in this place (RFC 9162 section 2.1.3.2)."""
    last = count - 1
    need(0 <= place <= last, "a leaf stands outside its tree")
    for sibling in map(raw, path):
        need(last > 0, "a path is too long")
        left = place % 2 == 0 and place < last
        node = sha(b"\x01", node, sibling) if left else sha(b"\x01", sibling, node)
        while place and place % 2 == 0 and not left:
            place, last = place >> 1, last >> 1
        place, last = place >> 1, last >> 1
    need(last == 0, "a path is too short")
    return node


def asked(url: str) -> set[str]:
    """The subjects that a URL or a doc_id may stand for."""
    scheme, mark, rest = url.split("#")[0].partition("://")
    host, _, path = rest.partition("/")
    return {url, "url:" + url, "doc:" + url, f"{scheme.lower()}{mark}{host.lower()}/{path}"}


def verify(proof: Any, root: str, url: str | None = None) -> list[str]:  # noqa: ANN401 - JSON of any form
    """What is proved, in plain words; raises `ValueError`, or another exception where the form is wrong."""
    if len(root.strip()) != 64 or not set(root.strip().lower()) <= set("0123456789abcdef"):
        raise NotAProof(f"ROOT is 64 hex digits, not {root!r}")
    if not isinstance(proof, dict) or set(proof) != NAMES or proof["format"] != "lauter-proof-1":
        raise NotAProof("it has not the form of a proof")
    subject, rows, shape = proof["subject"], proof["rows"], (proof["ranges"], proof["range"], proof["leaves"])
    need(all(type(number) is int for number in (*shape, *(row["place"] for row in rows))), "a number is none")
    need(all(set(row) == {"place", "key", "text", "path"} for row in rows), "a row has not the form of one")
    need(url is None or subject in asked(url) or url == proof["doc_id"], f"it is about {subject!r}, not about {url!r}")
    key, ledger = sha(subject.encode("utf-8", "surrogateescape")), raw(proof["ledger_root"])
    known = sha(b"\x02", ledger, raw(proof["corpus"])).hex()
    need(known == proof["root"] == root.strip().lower(), f"it is about the root {known}, not {root}")
    need(int.from_bytes(key, "big") * shape[0] >> 256 == shape[1], "it is about another range of keys")
    for row in rows:
        leaf = sha(b"\x00", raw(row["key"]), row["text"].encode("utf-8", "surrogateescape"))
        tree = climb(leaf, row["place"], shape[2], row["path"])
        head = b"".join(number.to_bytes(size, "big") for number, size in zip(shape, (4, 4, 8), strict=True))
        top = climb(sha(b"\x03", head, tree), shape[1], shape[0], proof["path"])
        need(top == ledger, f"the leaf in place {row['place']} is not in the ledger")
    need(all(b["place"] == a["place"] + 1 for a, b in pairwise(rows)), "its leaves are no neighbours")
    keys = [raw(row["key"]) for row in rows]
    need(len(rows) > 1 and keys[0] < key < keys[-1] and set(keys[1:-1]) <= {key}, "its leaves do not enclose the key")
    found = [dict(part.split("=", 1) for part in row["text"].split("\t")) for row in rows[1:-1]]
    doc_id = proof["doc_id"]
    need(doc_id is None or any(row["doc_id"] == doc_id for row in found), f"no row has the doc_id {doc_id}")
    if not found:
        places = f"{rows[0]['place']} and {rows[1]['place']} of range {shape[1]}"
        return [f"{subject!r} is not in the ledger: its key lies between the neighbouring leaves {places}"]
    shown = ("verdict", "stage", "reason", "doc_id", "url", "duplicate_of", "rule.agent", "rule.text")
    told = [", ".join(f"{name} {row[name]!r}" for name in shown if name in row) for row in found]
    return [f"{subject!r} is in the ledger, in {len(found)} row(s) and in no other:", *(f"  {line}" for line in told)]


def read(path: str) -> tuple[str, Any]:
    """The text of a proof file and the JSON in it; raises `NotAProof`."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - short, and known to every reader
            text = file.read().decode("ascii")
        return text, json.loads(text)
    except OSError as error:
        raise NotAProof(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise NotAProof(f"{path} is no proof: byte {error.start} is not ASCII, and a proof is ASCII only") from error
    except (ValueError, RecursionError) as error:
        raise NotAProof(f"{path} is no proof: it is no whole JSON ({error})") from error


def main(arguments: list[str]) -> int:
    """Check the proof in a file and say what came of it."""
    if len(arguments) not in (2, 3):
        print(__doc__)
        return 2
    try:
        text, proof = read(arguments[0])
        lines = verify(proof, *arguments[1:])
        need(text == json.dumps(proof, indent=1, sort_keys=True) + "\n", "its bytes are not those that Lauter writes")
    except NotAProof as error:
        print(f"NOTHING CHECKED: {error}")
        return 2
    except ValueError as error:
        print(f"NOT PROVED: {error}")
        return 1
    except Exception as error:
        print(f"NOT PROVED: a part of it is not what it should be ({type(error).__name__}: {error})")
        return 1
    print("proved:", "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
