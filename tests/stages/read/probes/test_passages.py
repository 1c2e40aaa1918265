"""Passages of a text, dealt to buckets, and the commands."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.stages.read.probes.entries import probes_of
from lauter.stages.read.probes.passages import REPETITIONS, passages

BOOK = "\n".join(" ".join(f"w{line}-{word}" for word in range(7)) for line in range(200))


def test_passages_are_of_equal_length_and_do_not_overlap() -> None:
    made = passages({"book": BOOK}, 10, 5)
    assert Counter(probe.bucket for probe in made) == {str(times): 5 for times in REPETITIONS}
    assert all(probe.bucket == str(probe.repetitions) and len(probe.text.split()) == 10 for probe in made)
    assert all(probe.text in BOOK for probe in made), "spaced as in the book"
    words = [word for probe in made for word in probe.text.split()]
    assert len(words) == len(set(words))
    assert made == passages({"book": BOOK}, 10, 5) != passages({"book": BOOK}, 10, 5, seed=1)


def test_buckets_are_not_chapters() -> None:
    made = passages({"book": BOOK}, 10, 15)
    places = [int(probe.id.partition(":")[2]) for probe in made if probe.repetitions == 1]
    assert max(places) - min(places) > 70


def test_a_passage_that_comes_again_is_taken_once() -> None:
    made = passages({"a": BOOK, "b": BOOK}, 10, 15)
    assert len({probe.text for probe in made}) == len(made) and {probe.id[0] for probe in made} == {"a"}


def test_too_short_a_text_is_told() -> None:
    with pytest.raises(ValueError, match="have 140 different passages of 10 words, and 9 buckets of 20 need 180"):
        passages({"book": BOOK}, 10, 20)


def test_the_commands(tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_text(BOOK)
    out = tmp_path / "probes.jsonl"
    command = [
        "probes",
        "passages",
        str(tmp_path / "book.txt"),
        "--out",
        str(out),
        "--words",
        "20",
        "--per-bucket",
        "4",
    ]
    made = CliRunner().invoke(app, [*command, "--repetitions", "0,1,8"])
    assert made.exit_code == 0 and "12 probes, 36 records" in made.output
    assert len(probes_of(out.read_bytes())) == 12
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 2 and "is there already" in again.output
    out.unlink()
    wrong = CliRunner().invoke(app, [*command, "--repetitions", "1,1"])
    assert wrong.exit_code == 2 and "different counts" in wrong.output and not out.exists()
    for counts in ("", "1,x", "-1", "2000000"):
        wrong = CliRunner().invoke(app, [*command, f"--repetitions={counts}"])
        assert wrong.exit_code == 2 and f"counts from 0 to 1,048,576, not '{counts}'" in " ".join(wrong.output.split())
    (tmp_path / "latin.txt").write_bytes(b"Z\xfcrich")
    for name, told in (("latin.txt", "latin.txt is not UTF-8 at byte 1"), ("no.txt", "no.txt can't be read: No such")):
        wrong = CliRunner().invoke(app, [*command[:2], str(tmp_path / name), *command[3:]])
        assert wrong.exit_code == 2 and told in " ".join(wrong.output.split()), wrong.output
    assert not out.exists()
    assert CliRunner().invoke(app, [*command[:2], *["x.txt", "y/x.txt"], *command[3:]]).exit_code == 2
    CliRunner().invoke(app, [*command, "--repetitions", "0,2"])
    listed = CliRunner().invoke(app, ["probes", "list", str(out), "--json"])
    assert json.loads(listed.output) == [
        {"name": "0", "kind": "passage", "probes": 4, "repetitions": 0, "records": 0},
        {"name": "2", "kind": "passage", "probes": 4, "repetitions": 2, "records": 8},
    ]
    assert "repetitions" in CliRunner().invoke(app, ["probes", "list", str(out)]).output
