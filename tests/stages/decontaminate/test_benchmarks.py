"""Benchmark files of every format, and what is said of those that cannot be used."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.decontaminate.benchmarks import Item, check, read

ROWS = [
    {"question": "How many?", "choices": {"text": ["one", "two"]}, "answer": 2},
    {"question": None, "choices": {"text": []}, "answer": 3},
    {"question": "Why, if\tnot now?", "choices": None, "answer": 4},
]
FIELDS = ("question", "choices.text")
EXPECTED = [Item("b", 1, "question", "How many?"), Item("b", 1, "choices.text", "one\ntwo")]


def test_jsonl_and_parquet_give_the_same_items(tmp_path: Path) -> None:
    lines = [json.dumps(row) for row in ROWS]
    (tmp_path / "b.jsonl").write_text("\n".join(lines))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress("\ufeff{}\n{}\r\n\n{}\n".format(*lines).encode()))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "b.parquet")
    found = {name: list(read("b", [str(tmp_path / name)], FIELDS)) for name in ("b.jsonl", "b.jsonl.gz", "b.parquet")}
    last = Item("b", 3, "question", "Why, if\tnot now?")
    assert found["b.jsonl"] == found["b.parquet"] == [*EXPECTED, last]
    assert found["b.jsonl.gz"] == [*EXPECTED, last._replace(number=4)]
    for name in found:
        check(str(tmp_path / name), FIELDS)


def test_objects_in_a_list_have_their_fields_looked_for(tmp_path: Path) -> None:
    choices = [{"text": "one", "label": "A"}, {"label": "B"}, {"text": ["two", "three"]}]
    rows = [{"question": {"stem": "Which?", "choices": choices}}, {"question": {"stem": "None?", "choices": []}}]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    field = "question.choices.text"
    check(str(tmp_path / "b.jsonl"), [field])
    assert list(read("b", [str(tmp_path / "b.jsonl")], [field])) == [Item("b", 1, field, "one\ntwo\nthree")]
    with pytest.raises(ValueError, match=r"there is 'question\.stem', 'question\.choices\.text', "):
        check(str(tmp_path / "b.jsonl"), ["choices"])


def test_half_a_surrogate_pair_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"q": "x"}\n{"q": "\\ud83d y"}\n')
    with pytest.raises(ValueError, match=r"b\.jsonl:2: field 'q' has half a surrogate pair"):
        list(read("b", [str(tmp_path / "b.jsonl")], ["q"]))


def test_tables_with_and_without_a_heading(tmp_path: Path) -> None:
    (tmp_path / "b.tsv").write_text('What is "it"?\t18\n\nWho?\t3\n')
    assert list(read("b", [str(tmp_path / "b.tsv")], ["1"])) == [
        Item("b", 1, "1", 'What is "it"?'),
        Item("b", 3, "1", "Who?"),
    ]
    (tmp_path / "b.csv").write_text('question,answer\n"Which,\nof them?",1\nWhen?,2\n')
    check(str(tmp_path / "b.csv"), ["question"])
    assert [(item.number, item.text) for item in read("b", [str(tmp_path / "b.csv")], ["question"])] == [
        (3, "Which,\nof them?"),
        (4, "When?"),
    ]


def test_lines_of_text_are_counted_from_file_to_file(tmp_path: Path) -> None:
    for name, text in (("a.txt", "one\n\ntwo\n"), ("b.txt", "three")):
        (tmp_path / name).write_text(text)
        check(str(tmp_path / name), ())
    paths = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    assert [(item.number, item.field, item.text) for item in read("b", paths, ())] == [
        (1, "", "one"),
        (3, "", "two"),
        (4, "", "three"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "fields", "said"),
    [
        (
            "b.jsonl",
            b'{"prompt": "x", "test": {"a": "y"}}\n',
            ["question"],
            "no text in field 'question' of its first 1",
        ),
        ("b.jsonl", b'{"prompt": "x", "test": {"a": "y"}}\n', ["question"], "there is 'prompt', 'test.a'"),
        ("b.jsonl", b'{"prompt": "x"}\n', [], "name those to look for under `fields`; there is 'prompt'"),
        ("b.jsonl", b"", ["question"], "there is no row"),
        ("b.jsonl", b"{\n", ["question"], "b.jsonl:1: no JSON: "),
        ("b.jsonl", b"[]\n", ["question"], "b.jsonl:1: no JSON object"),
        ("b.txt", b"x\n", ["question"], "has no fields: leave them out"),
        ("b.jsonl", b"\xff\n", ["question"], "b.jsonl:1: cannot be read: "),
        ("b.jsonl.gz", b"no gzip", ["question"], "b.jsonl.gz:1: cannot be read: "),
        ("b.parquet", b"no Parquet", ["question"], "b.parquet: cannot be read: "),
        ("b.json", b"{}", ["question"], "a benchmark file ends in one of .jsonl, "),
        ("b", b"{}", ["question"], "a benchmark file ends in one of .jsonl, "),
        ("b.csv", b'a,b\n"x', ["a"], "b.csv:2: "),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path: Path, name: str, content: bytes, fields: list[str], said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError) as error:
        check(str(tmp_path / name), fields)
    assert said in str(error.value) and name in str(error.value)
