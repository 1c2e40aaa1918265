"""What was removed is nowhere in a run folder: not in documents, ledger, scores, shards, state, report, nor in logs."""

from __future__ import annotations

import json
import logging
import random
import zlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from lauter.stages.catalogue import CATALOGUE
from tests.pipeline.small_run import build
from tests.stages.read.archives import http, members, record

SECRETS = (
    "leaky.person@planted-host.org",
    "66.46.179.207",
    "DE89370400440532013000",
    "4111 1111 1111 1111",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "+41 44 668 18 07",
    "756.9217.0769.85",
    "ghp_q7Zp2Xv9Lm4Tk8Wd3Rf6Hs1Jb5Nc0Gy7Ua2E",
    "3c:07:54:12:ab:cd",
    "planted.two (at) planted-host.org",
)
WORDS = """bread river garden letter window kitchen market bridge winter sister teacher story music forest harbour
engine ladder orchard blanket candle mountain village basket curtain lantern meadow pillow saddle tunnel violin"""
BEFORE = ("the", "of the", "and a", "to the", "with the", "that the", "have a", "beside the", "be in the", "under a")


def prose(seed: int) -> str:
    """English that the rules of quality keep, and another one for each seed."""
    draw, words = random.Random(seed), WORDS.split()
    lines = [[f"{draw.choice(BEFORE)} {draw.choice(words)}" for _ in range(draw.randint(4, 7))] for _ in range(12)]
    return " ".join(f"{' '.join(line).capitalize()}." for line in lines)


RAISES = "The recogniser of the manifest raises here."
RECOGNISER = f"""
from presidio_analyzer import EntityRecognizer

class Raises(EntityRecognizer):
    def __init__(self):
        super().__init__(["OTHER"])

    def load(self):
        pass

    def analyze(self, text, entities, nlp_artifacts):
        if {RAISES!r} in text:
            raise RuntimeError(text)
        return []
"""


def everything(folder: Path) -> dict[str, str]:
    """The bytes of all files below a folder as text, and the cells of those whose columns are compressed."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        raw = path.read_bytes()
        text = raw.decode("latin-1")
        if raw[:4] == b"PAR1":
            text += json.dumps(pq.read_table(path).to_pylist(), default=repr, ensure_ascii=False)
        elif raw[:6] == b"ARROW1":
            text += json.dumps(pa.ipc.open_file(path).read_all().to_pylist(), default=repr, ensure_ascii=False)
        elif raw[:2] == b"\x1f\x8b":
            text += zlib.decompress(raw, 31).decode("latin-1")
        found[str(path.relative_to(folder))] = text
    return found


@pytest.mark.slow
def test_nothing_removed_is_left_in_a_run_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {
            "id": f"r{place}",
            "url": f"https://example.org/{place}",
            "text": f"{prose(place)} Here: {secret} . {prose(-1 - place)}",
        }
        for place, secret in enumerate(SECRETS)
    ]
    pages = [
        record(
            http(f"<title>News of {secret}</title><h1>News</h1><p>{prose(100 + place)}</p>".encode()),
            url=b"https://example.org/page/%d" % place,
            identifier=f"<urn:uuid:{place}>",
        )
        for place, secret in enumerate(SECRETS)
    ]
    (tmp_path / "pages.warc.gz").write_bytes(members(pages))
    # One on which the stage raises, with the whole text in the message of the exception.
    rows.append(
        {**rows[1], "id": "raises", "url": "https://example.org/r", "text": f"{RAISES} {SECRETS[2]} {prose(99)}"}
    )
    (tmp_path / "raises.py").write_text(RECOGNISER)
    # One that is dropped by its density, one that is dropped later, one a copy of another.
    dense = " ".join(f"{secret} {prose(50 + place)[:40]}." for place, secret in enumerate(SECRETS * 2))
    rows.append({"id": "dense", "url": "https://example.org/d", "text": f"{prose(98)} {dense}"})
    rows.append({"id": "short", "url": "https://example.org/s", "text": f"short {SECRETS[0]}"})
    rows.append({**rows[0], "id": "copy", "url": "https://example.org/c"})
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "m.yaml").write_text(
        "name: leaks\nsources: [{name: rows, kind: jsonl, paths: [rows.jsonl]}, "
        "{name: pages, kind: warc, paths: [pages.warc.gz]}]\n"
        "stages: [extract, normalise, language, quality, "
        "{pii: {max_spans_per_1000_chars: 8, recognisers: [raises.py]}}, "
        "dedup]\n"
        "sharding: {tokens_per_shard: 3000, cells: 8}\n"
    )
    # The compiler of kernels logs a hundred thousand lines, and no data.
    with caplog.at_level(logging.WARNING, logger="numba"), caplog.at_level(logging.DEBUG):
        outcome = build(tmp_path / "m.yaml", tmp_path / "out", catalogue=CATALOGUE)
    assert outcome.report.failures == []
    files = everything(tmp_path / "out")
    said = capfd.readouterr()
    files |= {"log": caplog.text, "stdout": said.out, "stderr": said.err}
    for secret in SECRETS:
        core = secret.split(" (")[0]
        assert [name for name, text in files.items() if core in text] == []
    ledger = pq.read_table(tmp_path / "out" / "ledger").to_pylist()
    assert len(ledger) == len(rows) + len(pages)
    ended = Counter(row["reason"] for row in ledger)
    assert ended == {None: 20, "stage-failed": 1, "pii-too-dense": 1, "few-words": 1, "exact-duplicate": 1}
    failed = [row for row in ledger if row["reason"] == "stage-failed"]
    assert [(row["url"], row["rule"]["text"]) for row in failed] == [
        ("https://example.org/r", "RuntimeError in stage pii")
    ]
    spans = [span for path in (tmp_path / "out/documents").rglob("*.parquet") for span in _spans(path)]
    assert set(spans) == {"email", "ip", "iban", "card", "crypto", "phone", "id", "secret", "mac"}
    sources = json.loads((tmp_path / "out/report/data-register.json").read_text())["sources"]
    sections = json.loads((tmp_path / "out/corpus.json").read_text())["sections"]
    table = next(section for section in sections if section["stage"] == "pii")["tables"][0]
    # One in each kept document: in the titles of the pages, in the texts of the rows.
    removed = {"email": 2, **dict.fromkeys(sorted(set(spans) - {"email"}), 1)}
    assert [(source["pii_spans"], source["pii_types"]) for source in sources] == [(len(SECRETS), removed)] * 2
    assert dict(table["rows"]) == {kind: 2 * count for kind, count in removed.items()}


def _spans(path: Path) -> list[str]:
    return [span["type"] for spans in pq.read_table(path).column("pii_spans").to_pylist() for span in spans or ()]
