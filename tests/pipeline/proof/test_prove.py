from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline import origin
from lauter.pipeline.proof import verify_proof
from lauter.pipeline.proof.leaves import key_of, locator
from lauter.pipeline.proof.prove import proof_text, prove
from lauter.pipeline.storage import Storage, StorageError
from tests.pipeline.proof.small_ledger import publish_ledger, row

SITE = "https://www.example.org"
ROWS = [
    [row(1, f"{SITE}/a"), row(2, f"{SITE}/b", verdict="dropped", stage="optout", reason="robots")],
    [
        row(3, f"{SITE}/a#part", verdict="duplicate", duplicate_of=(1).to_bytes(16, "big")),
        row(4, None),
        row(5, "dns:x"),
    ],
]
# A small alphabet, so that equal URLs, and different spellings of one, are common.
URLS = st.one_of(
    st.none(),
    st.builds(
        "{}://{}{}".format,
        st.sampled_from(["http", "HTTPS", "ftp"]),
        st.sampled_from(["a.org", "B.org:80"]),
        st.sampled_from(["", "/", "/x", "/x#y", "/\u00fc", "/a\tb", "/\\"]),
    ),
    st.text(max_size=3),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("prove") / "out"
    publish_ledger(out, ROWS)
    return out


@pytest.fixture(scope="module")
def proofs(folder: Path) -> list[dict[str, Any]]:
    return [_proof(folder, wanted) for wanted in (f"{SITE}/a", f"{SITE}/c", (4).to_bytes(16, "big").hex())]


def _proof(folder: Path, wanted: str) -> dict[str, Any]:
    return prove(Storage(str(folder)), wanted)


def _run(proof: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The script as who has nothing else runs it."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "proof.json"
        path.write_text(proof, "utf-8", "surrogateescape")
        script = shutil.copy(verify_proof.__file__, name)
        return subprocess.run([sys.executable, "-I", script, str(path), *arguments], capture_output=True, text=True)


def test_presence_names_every_row_of_the_url(folder: Path) -> None:
    for spelled in (f"{SITE}/a", "HTTPS://www.example.org:443/a#other"):
        proof = _proof(folder, spelled)
        assert len(proof["rows"]) == 4 and proof["subject"] == f"{SITE}/a"
    found = _run(proof_text(proof), proof["root"], "https://WWW.example.org/a#x")
    assert found.returncode == 0 and found.stderr == ""
    assert found.stdout.startswith(f"proved: '{SITE}/a' is in the ledger, in 2 row(s) and in no other:\n")
    assert "verdict 'kept'" in found.stdout and "verdict 'duplicate'" in found.stdout
    dropped = _proof(folder, f"{SITE}/b")
    assert "verdict 'dropped', stage 'optout', reason 'robots'" in _run(proof_text(dropped), dropped["root"]).stdout


def test_absence_shows_two_neighbours(folder: Path) -> None:
    proof = _proof(folder, f"{SITE}/c")
    assert len(proof["rows"]) == 2
    found = _run(proof_text(proof), proof["root"].upper(), f"{SITE}/c")
    assert found.returncode == 0 and "is not in the ledger" in found.stdout


def test_a_row_is_found_by_its_doc_id_with_and_without_url(folder: Path) -> None:
    for number in (2, 4, 5):
        proof = _proof(folder, number.to_bytes(16, "big").hex())
        found = _run(proof_text(proof), proof["root"], number.to_bytes(16, "big").hex())
        assert found.returncode == 0 and "is in the ledger" in found.stdout, found.stdout
    with pytest.raises(StorageError, match="no ledger row has the doc_id"):
        _proof(folder, "ff" * 16)


def test_the_script_says_why_not(folder: Path) -> None:
    proof = _proof(folder, f"{SITE}/a")
    text, root = proof_text(proof), proof["root"]
    for given_text, arguments, code, why in (
        (text, ("00" * 32,), 1, "it is about the root"),
        (text, (root, f"{SITE}/b"), 1, "it is about 'https://www.example.org/a', not about"),
        (text, (root, (2).to_bytes(16, "big").hex()), 1, "not about"),
        (text.replace("\n", ""), (root,), 1, "its bytes are not those"),
        ("{}", (root,), 2, "has not the form of a proof"),
        ("[" * 100_000, (root,), 2, "no whole JSON"),
        ("", (root,), 2, "Expecting value"),
        ("\udcff" + text, (root,), 2, "byte 0 is not ASCII"),
    ):
        found = _run(given_text, *arguments)
        assert found.returncode == code and found.stderr == ""
        assert found.stdout.startswith(("NOT PROVED: ", "NOTHING CHECKED: ")[code - 1]), found.stdout
        assert why in found.stdout, found.stdout
    assert _run(text).returncode == 2


def _move(proof: dict[str, Any], place: int) -> None:
    for item in proof["rows"]:
        item["place"] += place


FORGERIES: dict[str, Callable[[Any], object]] = {
    "another verdict": lambda p: p["rows"][1].update(
        text=p["rows"][1]["text"].replace("verdict=duplicate", "verdict=kept")
    ),
    "a row left out": lambda p: p["rows"].pop(1),
    "all rows left out": lambda p: p.update(rows=[p["rows"][0], p["rows"][-1]]),
    "no left neighbour": lambda p: p["rows"].pop(0),
    "no right neighbour": lambda p: p["rows"].pop(),
    "no rows": lambda p: p.update(rows=[]),
    "rows in another order": lambda p: p["rows"].reverse(),
    "a row twice": lambda p: p["rows"].insert(1, p["rows"][1]),
    "left out and renumbered": lambda p: (p["rows"].pop(1), p["rows"][1].update(place=1), p["rows"][2].update(place=2)),
    "all moved": lambda p: _move(p, 1),
    "a negative place": lambda p: _move(p, -1),
    "another number of leaves": lambda p: p.update(leaves=p["leaves"] - 1),
    "more leaves": lambda p: p.update(leaves=p["leaves"] + 1),
    "another range": lambda p: p.update(range=(p["range"] + 1) % p["ranges"]),
    "another number of ranges": lambda p: p.update(ranges=2 * p["ranges"], range=2 * p["range"]),
    "another subject": lambda p: p.update(subject=p["subject"] + "x"),
    "another ledger root": lambda p: p.update(ledger_root="00" * 32),
    "another corpus": lambda p: p.update(corpus="00" * 32),
    "another root": lambda p: p.update(root="00" * 32),
    "a doc_id that no row has": lambda p: p.update(doc_id="ff" * 16),
    "a short path": lambda p: p["rows"][1]["path"].pop(),
    "a long path": lambda p: p["rows"][1]["path"].append("00" * 32),
    "a short top path": lambda p: p["path"].pop(),
    "a sibling of another length": lambda p: p["path"].__setitem__(0, p["path"][0] + "00"),
    "an inner node as a leaf": lambda p: p["rows"][1].update(path=p["rows"][1]["path"][1:]),
    "upper-case hex": lambda p: p["path"].__setitem__(0, p["path"][0].upper()),
    "a place that is no integer": lambda p: p["rows"][1].update(place=float(p["rows"][1]["place"])),
    "a field more": lambda p: p.update(note="trust me"),
    "a field more in a row": lambda p: p["rows"][1].update(note="trust me"),
    "another format": lambda p: p.update(format="lauter-proof-2"),
    "key and text cut elsewhere": lambda p: p["rows"][1].update(
        key=p["rows"][1]["key"] + p["rows"][1]["text"][:1].encode().hex(), text=p["rows"][1]["text"][1:]
    ),
    # The leaf of a row that is there, passed off as the left neighbour of its own key.
    "a key cut short to hide its row": lambda p: p.update(
        rows=[
            {
                **p["rows"][2],
                "key": p["rows"][2]["key"][:-2],
                "text": bytes.fromhex(p["rows"][2]["key"][-2:]).decode("utf-8", "surrogateescape")
                + p["rows"][2]["text"],
            },
            p["rows"][3],
        ]
    ),
    "a sentinel as a row": lambda p: p["rows"][0].update(key=p["rows"][1]["key"]),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_no_forgery_is_taken(folder: Path, name: str) -> None:
    proof = _proof(folder, f"{SITE}/a")
    true_text, root = proof_text(proof), proof["root"]
    verify_proof.verify(proof, root)
    FORGERIES[name](proof)
    assert proof_text(proof) != true_text
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "proof.json"
        path.write_text(proof_text(proof))
        assert verify_proof.main([str(path), root]) in (1, 2)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_a_proof_is_found(proofs: list[dict[str, Any]], data: st.DataObject) -> None:
    proof = data.draw(st.sampled_from(proofs))
    text = bytearray(proof_text(proof), "ascii")
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "proof.json"
        path.write_bytes(text)
        assert verify_proof.main([str(path), proof["root"]]) in (1, 2)


@settings(max_examples=20, deadline=None)
@given(parts=st.lists(st.lists(URLS, max_size=5), max_size=3), others=st.lists(URLS.filter(bool), max_size=3))
def test_every_url_has_a_proof_of_presence_or_of_absence(parts: list[list[str | None]], others: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        numbers = iter(range(1, 100))
        rows = [[row(next(numbers), url) for url in part] for part in parts]
        root = publish_ledger(Path(name), rows)["root"]
        ledger = [item for part in rows for item in part]
        subjects = [locator(item["url"], item["doc_id"]) for item in ledger]
        for item, subject in zip(ledger, subjects, strict=True):
            proof = _proof(Path(name), item["url"] or item["doc_id"].hex())
            assert proof["subject"] == subject and len(proof["rows"]) - 2 == subjects.count(subject)
            assert "is in the ledger" in verify_proof.verify(json.loads(proof_text(proof)), root)[0]
        for url in others:
            proof = _proof(Path(name), url)
            assert len(proof["rows"]) - 2 == subjects.count(locator(url, b""))
            verify_proof.verify(json.loads(proof_text(proof)), root)


def test_the_exit_code_tells_a_false_proof_from_no_proof(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proof = _proof(folder, f"{SITE}/a")
    root, path = proof["root"], tmp_path / "proof.json"
    false = {**proof, "rows": proof["rows"][1:]}
    for data, arguments, code, why in (
        (proof_text(proof).encode(), [root, f"{SITE}/a"], 0, "proved: "),
        (proof_text(proof).encode(), [root, f"{SITE}/b"], 1, "not about"),
        (proof_text(proof).encode(), ["0" * 64], 1, "NOT PROVED: it is about the root"),
        (proof_text(false).encode(), [root], 1, "NOT PROVED: "),
        (proof_text({**proof, "path": 7}).encode(), [root], 1, "NOT PROVED: a part of it is not what it should be"),
        (proof_text(proof).encode(), ["abc"], 2, "ROOT is 64 hex digits, not 'abc'"),
        (proof_text(proof).encode(), [], 2, "python verify_proof.py proof.json ROOT"),
        (proof_text({**proof, "format": "lauter-proof-2"}).encode(), [root], 2, "has not the form of a proof"),
        (b"[]\n", [root], 2, "has not the form of a proof"),
        (b"{", [root], 2, "it is no whole JSON"),
        ("\u00fc".encode(), [root], 2, "byte 0 is not ASCII"),
        (b"[" * 100_000, [root], 2, "it is no whole JSON"),
        (None, [root], 2, "cannot be read: No such file"),
    ):
        path.unlink() if data is None else path.write_bytes(data)
        assert verify_proof.main([str(path), *arguments]) == code
        assert why in capsys.readouterr().out


def test_a_subject_is_its_own_normal_form() -> None:
    for url in ("HTTP://A.org", "http://\u00fc.org/?q#f", "https://a.org:443//x"):
        located = origin.locate(url)
        assert located is not None and locator(url, b"") == located.origin + located.target
    assert key_of(locator(None, b"\1" * 16)) != key_of(locator("doc:" + "01" * 16, b""))


def test_a_folder_that_contradicts_itself_proves_nothing(tmp_path: Path) -> None:
    publish_ledger(tmp_path, ROWS)
    ranges = tmp_path / "proof/ranges.json"
    whole = ranges.read_text()
    for changed in ("[]", whole.replace("[2,", "[3,", 1), "{", '[[1,"zz"]]'):
        ranges.write_text(changed)
        with pytest.raises(StorageError, match=r"lauter audit|ranges.json is no JSON"):
            _proof(tmp_path, f"{SITE}/a")
    ranges.write_text(whole)
    shutil.copy(tmp_path / "ledger/0.parquet", tmp_path / "ledger/1.parquet")
    with pytest.raises(StorageError, match="lauter audit"):
        _proof(tmp_path, f"{SITE}/b")
    corpus = json.loads((tmp_path / "corpus.json").read_text())
    publish_ledger(tmp_path, ROWS)
    (tmp_path / "corpus.json").write_text(json.dumps({**corpus, "name": "other"}))
    with pytest.raises(StorageError, match="lauter audit"):
        _proof(tmp_path, f"{SITE}/a")
    with pytest.raises(StorageError, match="no finished corpus"):
        _proof(tmp_path / "nothing", f"{SITE}/a")
