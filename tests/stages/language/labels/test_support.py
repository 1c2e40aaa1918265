"""The table of the embedded model's labels: read whole, and refused with the line where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.stages.language.labels.support import Support, read

HEAD = "# a comment\nlabel\ttier\tscored\tthreshold\tdocument\tlevel\tcluster\tf1_udhr\n"
ROW = "deu_Latn\tA\trunning-text\t0.4\t0.6\twell\t\t0.99\n"


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.tsv"
    path.write_text(text, "utf-8")
    return path


def test_rows_in_order_with_their_figures(tmp_path: Path) -> None:
    found = read(table(tmp_path, HEAD + ROW + "quy_Latn\tC\tword-types\t0.9\t0.97\twords\tque\t\n"))
    assert list(found.values()) == [
        Support("deu_Latn", "well", "running-text", 0.4, "", {"f1_udhr": 0.99}, "A", 0.6),
        Support("quy_Latn", "words", "word-types", 0.9, "que", {}, "C", 0.97),
    ]


@pytest.mark.parametrize(
    ("level", "tier", "is_thin"),
    [("well", "A", False), ("weak", "B", False), ("weak", "", False), ("weak", "C", True), ("words", "A", True)],
)
def test_a_label_is_thin_by_its_tests_or_its_words(tmp_path: Path, level: str, tier: str, *, is_thin: bool) -> None:
    row = ROW.replace("well", level).replace("\tA\t", f"\t{tier}\t")
    assert read(table(tmp_path, HEAD + row))["deu_Latn"].is_thin == is_thin


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label\tthreshold\n", r"labels\.tsv:1: no column level, scored, document, cluster"),
        (HEAD + "deu_Latn\tA\n", r":3: 2 cells in a table of 8 columns"),
        (HEAD + ROW.replace("well", "good"), r":3: level 'good' is none of well, "),
        (HEAD + ROW.replace("0.4", "1.4"), r":3: threshold '1\.4' is no probability"),
        (HEAD + ROW.replace("0.4", "nan"), r":3: threshold 'nan' is no probability"),
        (HEAD + ROW.replace("0.6", "-0.1"), r":3: document '-0\.1' is no probability"),
        (HEAD + ROW.replace("0.4", "much"), r":3: threshold 'much' is no probability"),
        (HEAD + ROW + ROW, r":4: deu_Latn is there twice"),
        (HEAD, "no label in it"),
        ("", "no label in it"),
    ],
)
def test_a_wrong_table_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(table(tmp_path, text))
