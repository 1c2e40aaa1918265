"""Every row of a file of dialogues ends as one record, whatever its shape, its container or its faults."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from lauter.chat.formats import preference
from lauter.pipeline import schema
from lauter.stages.read.dialogues.config import FIELDS, DialoguesConfig, Shape
from lauter.stages.read.dialogues.reader import DialoguesReader
from lauter.stages.read.dialogues.row import CONVERSATIONS

DATA = Path(__file__).parents[3] / "data" / "dialogues"
SHAPES = ("messages", "sharegpt", "alpaca", "preference")
SAID = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
GOOD = {"messages": 52, "sharegpt": 6, "alpaca": 8, "preference": 6}


def reader(**config: object) -> DialoguesReader:
    return DialoguesReader(DialoguesConfig.model_validate(config), "chats")


def read(of: DialoguesReader, content: bytes) -> list[dict[str, Any]]:
    """All records, each with the name of its reason and its evidence; the second count agrees."""
    rows = []
    for batch in of.read(io.BytesIO(content), "file"):
        assert batch.records.schema == schema.RECORD
        rules = batch.verdict.rule.to_pylist() if batch.verdict.rule is not None else [None] * batch.records.num_rows
        for row, code, rule in zip(batch.records.to_pylist(), batch.verdict.reason.tolist(), rules, strict=True):
            rows.append({**row, "reason": of.reasons[code - 1].name if code else None, "rule": rule})
    assert of.count(io.BytesIO(content)).rows == len(rows)
    return rows


@pytest.mark.parametrize("shape", SHAPES)
def test_good_rows_have_text_and_marks_and_bad_ones_a_reason(shape: str) -> None:
    rows = read(reader(shape=shape), (DATA / f"{shape}.jsonl").read_bytes())
    good = [row for row in rows if row["reason"] is None]
    assert len(good) == GOOD[shape]
    assert all(row["text"] and row["marks"][-1]["control"] == "<|assistant_end|>" for row in good)
    assert all(row["text"] is None and row["marks"] is None for row in rows if row["reason"] is not None)
    assert len({row["doc_id"] for row in rows}) == len(rows)


def test_the_ledger_learns_what_is_wrong_and_none_of_the_words() -> None:
    rows = read(reader(), (DATA / "messages.jsonl").read_bytes())
    assert Counter(row["reason"] for row in rows if row["reason"]) == {
        "no-dialogue": 8,
        "invalid-json": 2,
        "no-answer": 1,
    }
    told = [row["rule"]["text"] for row in rows if row["rule"]]
    assert "turn 1: the conversation begins with the assistant" in told
    assert not any(word in text for text in told for word in ("robot", "no list", "image_url", "I speak"))


def test_columns_of_rows_come_before_those_of_the_source() -> None:
    columns = {"generator": "generator", "licences": "licence"}
    rows = read(reader(columns=columns, generator="program", licence="MIT"), (DATA / "messages.jsonl").read_bytes())
    assert Counter(row["generator"] for row in rows if not row["reason"]) == {
        "human": 48,
        "gpt-4o": 1,
        "strange-model-7b": 1,
        "mistral-7b-instruct": 1,
        "program": 1,
    }
    assert rows[0]["licences"] == ["CC0-1.0"]


@pytest.mark.parametrize(
    ("said", "licences", "generator"),
    [
        (None, ["MIT"], "human"),
        ("", ["MIT"], "human"),
        ([], ["MIT"], "human"),
        ("one", ["one"], "one"),
        (["one", "two"], ["one", "two"], "one, two"),
        # Something is said, so it is not the source's.
        (["one", None], None, "one, None"),
        ({"name": "one"}, None, "{'name': 'one'}"),
        (5, None, "5"),
    ],
)
def test_the_source_speaks_only_for_rows_that_say_nothing(
    said: object, licences: list[str] | None, generator: str
) -> None:
    line = json.dumps({"messages": SAID, "of": said}).encode()
    (row,) = read(reader(columns={"licences": "of", "generator": "of"}, licence="MIT", generator="human"), line)
    assert (row["licences"], row["generator"]) == (licences, generator)


@pytest.mark.parametrize("shape", SHAPES)
def test_containers_change_nothing(shape: str) -> None:
    lines = (DATA / f"{shape}.jsonl").read_text().splitlines()
    fields = []
    for line in lines[: GOOD[shape]]:
        row = json.loads(line) if line else {}
        # A column of structs has one type; contents of two styles go as text.
        fields.append({name: json.dumps(value) if name == "tools" else value for name, value in row.items()})
    plain = [row for row in fields if row and not any("parts" in str(value) for value in row.values())]
    content = "\n".join(json.dumps(row) for row in plain).encode()
    sink = io.BytesIO()
    names = dict.fromkeys(name for row in plain for name in row)
    pq.write_table(pa.table({name: [row.get(name) for row in plain] for name in names}), sink, row_group_size=7)
    kept = ("doc_id", "text", "marks", "reason")
    of = reader(shape=shape)
    found = [
        [{name: row[name] for name in kept} for row in read(of, data)]
        for data in (content, gzip.compress(content), sink.getvalue())
    ]
    assert found[0] == found[1]
    if shape == "alpaca":  # without ids, the identity is the content
        assert found[0] == found[2]
    else:
        assert [(row["doc_id"], row["text"]) for row in found[0]] == [(row["doc_id"], row["text"]) for row in found[2]]


@pytest.mark.parametrize(
    ("column", "seconds"),
    [
        (pa.array([1715997490123456789] * 2, pa.timestamp("ns")), 1715997490),  # Python has no nanoseconds
        (pa.array([1715997490000] * 2, pa.timestamp("ms", tz="Mars/Olympus")), 1715997490),
        (pa.array([1 << 60, None], pa.timestamp("us")), None),  # the year 38,505
        (pa.array([19861] * 2, pa.date32()), 19861 * 86400),
        (pa.array(["2024-05-18T01:58:10Z"] * 2), 1715997490),
        (pa.array([1 << 60] * 2, pa.duration("us")), None),
    ],
)
def test_no_dialogue_is_lost_for_a_date(column: pa.Array, seconds: int | None) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"messages": [SAID, SAID], "when": column}), sink)
    rows = read(reader(columns={"date": "when"}), sink.getvalue())
    assert [row["reason"] for row in rows] == [None, None]
    assert [row["fetched_at"] and int(row["fetched_at"].timestamp()) for row in rows] == [seconds, seconds]
    assert [one["messages"] for one in reader().given(sink)] == [SAID, SAID]
    reader().check(sink)


def test_a_row_that_python_has_no_value_for_is_alone() -> None:
    odd = pa.StructArray.from_arrays([pa.array([0, 1 << 60, 0], pa.timestamp("us"))], names=["at"])
    sink = io.BytesIO()
    pq.write_table(pa.table({"messages": [SAID] * 3, "odd": odd}), sink)
    assert [row["reason"] for row in read(reader(), sink.getvalue())] == [None, "corrupt-range", None]


def test_bytes_that_a_message_quotes_are_not_told() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"messages": [[{"role": b"private words", "content": "a"}]]}), sink)
    assert read(reader(), sink.getvalue())[0]["rule"]["text"].startswith("message 1 is of the role …: it is none")


def test_prompts_and_rejected_answers_can_be_taken() -> None:
    content = (DATA / "preference.jsonl").read_bytes()
    prompt, rejected = (read(reader(shape="preference", take=take), content)[0] for take in ("prompt", "rejected"))
    assert prompt["text"] == "Erkläre einem Kind, was eine Wolke ist."
    assert prompt["marks"][-1]["control"] == "<|assistant_start|>"
    assert not any(mark["trained"] or mark["opens"] for mark in prompt["marks"])
    assert rejected["text"].endswith("Wolken sind Wasser.")
    with pytest.raises(ValidationError, match="take: rejected is for"):
        reader(take="rejected")


def test_other_names_of_fields_are_declared() -> None:
    line = json.dumps({"dialog": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}).encode()
    assert read(reader(names={"messages": "dialog"}), line)[0]["text"] == "a\n\nb"
    with pytest.raises(ValueError, match=r"no row has the shape `messages`; the first one: no field messages"):
        reader().check(io.BytesIO(line))
    reader(names={"messages": "dialog"}).check(io.BytesIO(line))
    other = json.dumps({"messages": SAID}).encode()
    assert read(reader(names={"messages": "dialog"}), other)[0]["reason"] == "no-dialogue"
    with pytest.raises(
        ValidationError, match="`shape: messages` has no field 'tool'; it has enable_thinking, messages, t"
    ):
        reader(names={"tool": "functions"})
    reader().check(io.BytesIO(b""))


class Asked(dict[str, Any]):
    """Keeps the names that it was asked for."""

    def __init__(self, content: dict[str, Any], names: set[str]) -> None:
        super().__init__(content)
        self.names = names

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - JSON
        self.names.add(name)
        return super().get(name, default)


@pytest.mark.parametrize("shape", get_args(Shape))
def test_fields_are_those_that_the_formats_read(shape: Shape) -> None:
    conversation = preference.preference if shape == "preference" else CONVERSATIONS[shape]
    names: set[str] = set()
    for line in (DATA / f"{shape}.jsonl").read_text().splitlines()[: GOOD[shape]]:
        row = json.loads(line or "{}")
        for gone in ("", *row):  # for some fields others may stand
            with suppress(ValueError):
                conversation(Asked({name: value for name, value in row.items() if name != gone}, names))
    assert names == FIELDS[shape]


def test_limits_and_broken_files_are_told() -> None:
    line = json.dumps({"messages": [{"role": "user", "content": "a" * 50}, {"role": "assistant", "content": "b"}]})
    assert read(reader(max_text_bytes=20), line.encode())[0]["reason"] == "text-too-large"
    assert read(reader(max_record_bytes=20), line.encode())[0]["reason"] == "record-too-large"
    assert read(reader(), b"PAR1 and then nothing")[0]["reason"] == "corrupt-range"


LEAVES: tuple[Any, ...] = (
    *(None, True, 0, 1.5, "", "x", "user", "[1]", "{}", [], {}, [1], {"a": 1}, ["x"], [None], {"type": "text"}),
    *([[1, 2]], "\0", float("nan"), 10**30),
)
ROWS = [
    json.loads(line)
    for shape in SHAPES
    for line in (DATA / f"{shape}.jsonl").read_text().splitlines()
    if line.startswith('{"')
]


def spoilt(value: Any, chance: random.Random, share: float) -> Any:  # noqa: ANN401 - JSON
    """The same with some values replaced by others, and some gone."""
    if chance.random() < share:
        return chance.choice(LEAVES)
    if isinstance(value, dict):
        return {key: spoilt(one, chance, share) for key, one in value.items() if chance.random() > share / 2}
    if isinstance(value, list):
        return [spoilt(one, chance, share) for one in value if chance.random() > share / 2]
    return value


@pytest.mark.parametrize("shape", SHAPES)
def test_no_row_is_so_strange_that_it_is_lost(shape: str) -> None:
    chance = random.Random(shape)
    rows = [spoilt(chance.choice(ROWS), chance, chance.choice([0.02, 0.05, 0.15])) for _ in range(600)]
    columns = {"licences": "licence", "generator": "generator", "date": "id", "url": "prompt"}
    found = read(reader(shape=shape, columns=columns), "\n".join(map(json.dumps, rows)).encode())
    assert len(found) == len(rows)
    assert not any("while it was read" in row["rule"]["text"] for row in found if row["rule"])
