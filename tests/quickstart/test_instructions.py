"""The tasks of the demonstration: right answers, and no prompt in both halves."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import islice
from pathlib import Path

from quickstart import instructions
from quickstart.instructions import KINDS, LANGUAGES, Task, held_out, open_tasks, training
from quickstart.words import NAMES, NOUNS, NUMBERS, OPENERS, OPPOSITES, WAYS


def test_no_prompt_is_learnt_and_asked() -> None:
    learnt, asked = training(6_000), held_out(200)
    prompts = {task.prompt for task in learnt}
    assert len(prompts) == len(learnt), "a prompt is learnt twice in an epoch"
    assert prompts.isdisjoint({task.prompt for task in asked})
    assert {(task.language, task.kind) for task in learnt} == {(one, kind) for one in LANGUAGES for kind in KINDS}
    counted = Counter(task.language for task in asked)
    assert set(counted) == set(LANGUAGES) and min(counted.values()) >= 100
    assert len({task.prompt for task in asked}) == len(asked)


def _answer(task: Task) -> str:
    """Worked out from the prompt alone."""
    opener = max(filter(task.prompt.startswith, OPENERS[task.language]), key=len)
    asked = task.prompt.removeprefix(opener)
    filled = next(
        words
        for way in WAYS[task.kind][task.language]
        if (words := _filling(way, asked)) is not None and _known(task, words)
    )
    listed = filled[0].split(", ")
    if task.kind == "say":
        return filled[0]
    if task.kind == "times":
        return " ".join([filled[0]] * (2 + NUMBERS[task.language].index(filled[1])))
    if task.kind in ("first", "last"):
        return listed[0 if task.kind == "first" else -1]
    if task.kind == "count":
        return str(len(listed))
    if task.kind == "opposite":
        pairs = OPPOSITES[task.language]
        return (dict(pairs) | {right: left for left, right in pairs})[filled[0]]
    if task.kind == "sum":
        return str(int(filled[0]) + int(filled[1]))
    other = next(key for key, name in NAMES[task.language].items() if name == filled[1])
    return NOUNS[other][NOUNS[task.language].index(filled[0])]


def _filling(way: str, prompt: str) -> list[str] | None:
    """What stands in the places of a way to ask; None where it is another way."""
    places = re.findall(r"\{(\d)\}", way)
    pattern = re.sub(r"\\\{\d\\\}", "(.+?)", re.escape(way))
    found = re.fullmatch(pattern, prompt)
    return None if found is None else [text for _, text in sorted(zip(places, found.groups(), strict=True))]


def _known(task: Task, words: list[str]) -> bool:
    return task.kind != "translate" or (words[1] in NAMES[task.language].values() and words[0] in NOUNS[task.language])


def test_the_answers_are_right() -> None:
    for task in [*training(2_000), *held_out(100)]:
        assert task.answer == _answer(task), task


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("one", "other"):
        assert instructions.main([str(tmp_path / name), "--train", "500", "--test", "30", "--open", "50"]) == 0
    for file in ("train.jsonl", "held-out.jsonl", "open.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "one" / "train.jsonl").read_text().splitlines()]
    assert len(rows) == 500 and len({row["id"] for row in rows}) == 500
    assert [message["role"] for message in rows[0]["messages"]] == ["system", "user", "assistant"]


def test_requests_have_many_answers() -> None:
    some = list(islice(open_tasks(1), 3_000))
    answers: dict[str, set[str]] = {}
    for task in some:
        answers.setdefault(task.prompt, set()).add(task.answer)
    assert sum(map(len, answers.values())) > 2 * len(answers)
    polite = sum(task.answer.endswith(instructions.TELL[task.language][2]) for task in some)
    assert 0.45 < polite / len(some) < 0.55
