"""Labelled texts as they are read: columns, compression, folders, and what is wrong with a file."""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pyarrow as pa
import pytest

from lauter.stages.language.evaluation.examples import read, sets

LINES = "deu_Latn\tGrüße, Welt\nrus_Cyrl\tudhr\tвсе люди\r\n\njpn_Jpan\t世界\u2028\x0c人\n"


def written(path: Path, text: str) -> Path:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(text.encode())
    else:
        path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_lines_of_two_or_three_columns(tmp_path: Path, suffix: str) -> None:
    found = read(written(tmp_path / f"small.tsv{suffix}", LINES))
    assert found.name == "small"
    assert list(found.gold) == ["deu_Latn", "rus_Cyrl", "jpn_Jpan"]
    assert bytes(found.data).decode() == "Grüße, Weltвсе люди世界\u2028\x0c人"
    assert found.offsets.tolist() == [0, 13, 28, 41]
    assert found.lengths().tolist() == [11, 8, 5]


def test_batches_are_the_whole_in_order(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.tsv", "".join(f"deu_Latn\ttext {n}\n" for n in range(10))))
    texts = []
    for data, offsets in found.batches(3):
        texts += [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)]
    assert texts == [f"text {n}" for n in range(10)]


def test_an_empty_text_is_a_text(tmp_path: Path) -> None:
    found = read(written(tmp_path / "a.tsv", "deu_Latn\t\nfra_Latn\tun\n"))
    assert found.lengths().tolist() == [0, 2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deu_Latn\n", "a.tsv:1: 1 columns"),
        ("deu_Latn\ta\n\ndeu_Latn\ta\tb\tc\n", "a.tsv:3: 4 columns"),
        ("__label__deu_Latn\ttext\n", "a.tsv:1: '__label__deu_Latn' is no label"),
        ("de\ttext\n", "is no label like deu_Latn"),
        ("\n\n", "no labelled text"),
        ("", "no labelled text"),
    ],
)
def test_a_line_of_another_form_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(written(tmp_path / "a.tsv", text))


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"deu_Latn\tGr\xfc\xdfe\n")
    with pytest.raises(ValueError, match="not UTF-8 at byte 11"):
        read(tmp_path / "a.tsv")
    (tmp_path / "a.tsv.zst").write_bytes(b"deu_Latn\ttext\n")
    with pytest.raises(ValueError, match="not compressed as its name says"):
        read(tmp_path / "a.tsv.zst")


def test_the_sets_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.tsv.zst", "a.tsv", "readme.txt"):
        written(tmp_path / name, LINES)
    assert [path.name for path in sets(tmp_path)] == ["a.tsv", "b.tsv.zst"]
    assert sets(tmp_path / "a.tsv") == [tmp_path / "a.tsv"]
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="no file of labelled texts"):
        sets(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="no such file"):
        sets(tmp_path / "nothing")
    written(tmp_path / "a.tsv.zst", LINES)
    with pytest.raises(ValueError, match=r"a\.tsv and a\.tsv\.zst are one set by their names"):
        sets(tmp_path)
