"""Texts of two classes from files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from lauter.stages.labelled_texts import FOLDS, Labelled, read

GOOD = [f"good text {number}" for number in range(40)]
BAD = [f"bad text {number}" for number in range(60)]


def jsonl(path: Path, texts: list[str], language: str | None = None) -> str:
    rows = [{"text": text} | ({"language": language} if language else {}) for text in texts]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return str(path)


def parquet(path: Path, texts: list[str], language: str) -> str:
    labels = pa.array([language] * len(texts)).dictionary_encode()
    pq.write_table(pa.table({"text": pa.array(texts, pa.large_string()), "language": labels}), path)
    return str(path)


def told(found: Labelled) -> list[tuple[str, str, bool, int]]:
    columns = found.texts.to_pylist(), found.languages, found.positive.tolist(), found.fold.tolist()
    return list(zip(*columns, strict=True))


def test_files_of_all_kinds_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "all.txt").write_text("\n".join(GOOD) + "\n\n")
    bad = parquet(tmp_path / "bad.parquet", BAD, "deu_Latn")
    whole = read([str(tmp_path / "all.txt")], [bad], "deu_Latn", 1000, 1000)
    folder = tmp_path / "parts"
    (folder / "deep").mkdir(parents=True)
    jsonl(folder / "one.jsonl.gz", GOOD[20:])
    jsonl(folder / "deep" / "two.jsonl", GOOD[:25][::-1], "deu_Latn")
    parts = read([str(folder)], [jsonl(tmp_path / "bad.jsonl", BAD[::-1])], "deu_Latn", 1000, 1000)
    assert told(whole) == told(parts)
    assert whole.counts == {"empty": 1}
    assert parts.counts == {"repeated": 5}
    keys = [xxhash.xxh3_64_intdigest(text.encode()) for text in whole.texts.to_pylist()]
    assert keys == sorted(keys)
    assert whole.fold.tolist() == [key % FOLDS for key in keys]


def test_a_text_in_both_classes_counts_for_nothing(tmp_path: Path) -> None:
    good, bad = jsonl(tmp_path / "good.jsonl", [*GOOD, BAD[0]]), jsonl(tmp_path / "bad.jsonl", BAD)
    found = read([good], [bad], None, 1000, 1000)
    assert BAD[0] not in found.texts.to_pylist()
    assert found.counts == {"in both classes": 1}
    assert set(found.languages) == {"und"}


def test_the_lowest_hashes_of_each_language_are_taken(tmp_path: Path) -> None:
    good, bad = jsonl(tmp_path / "good.jsonl", GOOD, "a"), jsonl(tmp_path / "bad.jsonl", BAD, "a")
    other = jsonl(tmp_path / "other.jsonl", [f"other {text}" for text in GOOD], "b")
    found = read([good, other], [bad], None, 7, 1000)
    whole = read([good, other], [bad], None, 1000, 1000)
    assert [int(found.of_language(label).positive.sum()) for label in "ab"] == [7, 7]
    wanted = [row for row in told(whole) if row[1] == "a" and row[2]][:7]
    assert told(found.of_language("a").rows(found.of_language("a").positive)) == wanted
    assert found.counts == {"beyond the limit": 33 + 33 + 53}


def test_nothing_depends_on_the_order_of_files_or_of_texts(tmp_path: Path) -> None:
    # Repeated, in two languages, in both classes, and cut before they come again.
    again = [*GOOD, *GOOD[::-1], *GOOD[:9]]
    paths = [
        jsonl(tmp_path / "1.jsonl", again, "b"), jsonl(tmp_path / "2.jsonl", GOOD[5:], "a"),
        jsonl(tmp_path / "3.jsonl", [*GOOD[20:], BAD[0], " "]),
    ]  # fmt: skip
    bad = jsonl(tmp_path / "bad.jsonl", BAD)
    for most in (3, 10, 1000):
        found = [read(order, [bad], "c", most, 1000) for order in (paths, paths[::-1])]
        assert told(found[0]) == told(found[1])
        assert found[0].counts == found[1].counts
        left_out = len(again) + 35 + 22 + len(BAD) - len(found[0].positive)
        # A text in both classes is two that count for nothing.
        counts = found[0].counts
        both = counts.get("in both classes", 0)
        assert left_out == sum(counts.values()) + both
        assert len(set(found[0].texts.to_pylist())) == len(found[0].positive)


def test_texts_are_cut(tmp_path: Path) -> None:
    good, bad = jsonl(tmp_path / "good.jsonl", GOOD), jsonl(tmp_path / "bad.jsonl", BAD)
    found = read([good], [bad], None, 1000, 4)
    assert sorted(found.texts.to_pylist()) == ["bad", "good"]


def test_rows_for_training_are_eight_tenths(tmp_path: Path) -> None:
    found = read([jsonl(tmp_path / "a.jsonl", GOOD)], [jsonl(tmp_path / "b.jsonl", BAD)], None, 1000, 1000)
    assert np.array_equal(found.training, found.fold >= 2)
    assert 60 < found.training.sum() < 95


def test_files_that_are_none(tmp_path: Path) -> None:
    good = jsonl(tmp_path / "good.jsonl", GOOD)
    for name, content, match in (
        ("a.jsonl", b"{\n", r"a\.jsonl:1: no JSON"),
        ("b.jsonl", b'{"text": "x"}\n\n{"body": "x"}\n', r"b\.jsonl:3: an object"),
        ("c.jsonl", b'{"text": "x", "language": 3}\n', r"c\.jsonl:1: an object"),
        ("d.parquet", b"none", "no Parquet file"),
        ("e.csv", b"text\n", "ends in"),
        ("f.jsonl", b"", "no text to learn from"),
        ("g.jsonl.gz", b"no gzip", "cannot be read"),
        ("i.jsonl.gz", gzip.compress(b'{"text": "x"}\n' * 9)[:-12], "cannot be read"),
        ("k.jsonl", b'{"text": ' + b"[" * 100_000, r"k\.jsonl:1: no JSON"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=match):
            read([good], [str(path)], None, 1000, 1000)
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "h.parquet")
    with pytest.raises(ValueError, match="no column `text`, but body"):
        read([str(tmp_path / "h.parquet")], [good], None, 1000, 1000)
    pq.write_table(pa.table({"text": [["x"]]}), tmp_path / "l.parquet")
    with pytest.raises(ValueError, match="no Parquet file of texts"):
        read([str(tmp_path / "l.parquet")], [good], None, 1000, 1000)
    data = bytearray((tmp_path / "h.parquet").read_bytes())
    data[4:30] = b"\xff" * 26
    (tmp_path / "m.parquet").write_bytes(data.replace(b"body", b"text"))
    with pytest.raises(ValueError, match="no Parquet file of texts"):
        read([str(tmp_path / "m.parquet")], [good], None, 1000, 1000)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="has no files"):
        read([str(tmp_path / "empty")], [good], None, 1000, 1000)
    for name in ("nothing.jsonl", "nothing.parquet"):
        with pytest.raises(FileNotFoundError) as raised:
            read([str(tmp_path / name)], [good], None, 1000, 1000)
        assert raised.value.filename == str(tmp_path / name)
    with pytest.raises(ValueError, match="stands in the other class too"):
        read([good], [good], None, 1000, 1000)


def test_half_of_a_surrogate_pair_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "half \\ud800 pair"}\n')
    found = read([str(tmp_path / "a.jsonl")], [jsonl(tmp_path / "b.jsonl", BAD)], None, 1000, 1000)
    assert "half ? pair" in found.texts.to_pylist()
