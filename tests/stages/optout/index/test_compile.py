"""The compiled index: which answer counts, what it amounts to, and bytes that depend on nothing else."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lauter.stages.optout.index.answers import compile_answer
from lauter.stages.optout.index.compile import INDEX_FILE, ORIGINS_FILE, compile_snapshots
from lauter.stages.optout.index.layout import INDEX, OUTCOMES
from lauter.stages.optout.index.origins import OriginIndex
from lauter.stages.optout.index.terms import Terms
from lauter.stages.optout.snapshot.answer import Fetched

DENY = "User-agent: *\nDisallow: /\n"
ALLOW = "User-agent: *\nAllow: /\n"
TERMS = Terms(("GPTBot", "*"))


def compiled(
    folder: Path, rows: list[dict[str, Any]], as_of: int | None = None
) -> tuple[dict[str, Any], Mapping[str, int]]:
    """Rows of origins.parquet by origin, and the counts."""
    path = folder / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    counts = compile_snapshots([str(path)], str(folder), TERMS._replace(as_of=as_of))
    return {row["origin"]: row for row in pq.read_table(folder / ORIGINS_FILE).to_pylist()}, counts


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, DENY, "rules"),
        (206, DENY, "rules"),
        (None, DENY, "rules"),
        (200, ALLOW, "allow"),
        (200, "", "allow"),
        (200, "User-agent: Other\nDisallow: /", "allow"),
        (200, "<html>busy</html>", "unparsable"),
        (None, None, "unreachable"),
        (200, None, "unreachable"),
        (404, None, "allow"),
        (404, DENY, "allow"),
        (403, "<html>no</html>", "forbidden"),
        (401, None, "forbidden"),
        (408, None, "unreachable"),
        (425, None, "unreachable"),
        (429, DENY, "unreachable"),
        (410, None, "allow"),
        (451, None, "allow"),
        (500, DENY, "unreachable"),
        (503, None, "unreachable"),
        (0, None, "unreachable"),
        (999, None, "unreachable"),
        (301, DENY, "redirect"),
    ],
)
def test_outcomes(status: int | None, body: str | None, outcome: str) -> None:
    answer = Fetched("https://a.example", status, 0, None if body is None else body.encode())
    result = compile_answer(answer, TERMS)
    assert result.outcome == outcome
    assert bool(result.sets) == (outcome == "rules")


def test_lost_bytes_are_never_permission() -> None:
    assert (
        compile_answer(Fetched("https://a.example", 200, 0, ALLOW.encode(), broken=True), TERMS).outcome == "unparsable"
    )
    assert compile_answer(Fetched("https://a.example", 404, 0, b"", broken=True), TERMS).outcome == "unparsable"


def test_the_newest_answer_counts(tmp_path: Path) -> None:
    rows = [
        {"origin": "https://a.example", "fetched_at": "2024-07-01", "body": DENY},
        {"origin": "https://a.example", "fetched_at": "2023-07-01", "body": ALLOW},
        {"origin": "https://b.example", "fetched_at": "2024-07-01", "body": ALLOW},
        {"origin": "https://b.example", "body": DENY},
    ]
    origins, counts = compiled(tmp_path, rows)
    assert {name: row["outcome"] for name, row in origins.items()} == {
        "https://a.example": "rules",
        "https://b.example": "allow",
    }
    assert origins["https://a.example"]["sha256"] == hashlib.sha256(DENY.encode()).digest()
    assert counts["superseded"] == 2
    before, counts = compiled(tmp_path, rows, as_of=1704067200)
    assert {name: row["outcome"] for name, row in before.items()} == {
        "https://a.example": "allow",
        "https://b.example": "rules",
    }
    assert counts["after_as_of"] == 2


def test_redirects_are_followed_within_the_snapshot(tmp_path: Path) -> None:
    def to(name: str, target: str) -> dict[str, Any]:
        return {"origin": f"https://{name}.example", "status": 301, "location": target, "fetched_at": "2025-01-01"}

    chain = [to(f"c{i}", f"https://c{i + 1}.example/robots.txt") for i in range(7)]
    rows = [
        *chain,
        {"origin": "https://c7.example", "status": 200, "body": DENY, "fetched_at": "2024-01-01"},
        to("loop", "https://loop.example/robots.txt"),
        to("away", "https://nowhere.example/robots.txt"),
        to("page", "https://c7.example/"),
        to("relative", "//c7.example/robots.txt"),
        to("gone", "https://four.example/robots.txt"),
        {"origin": "https://four.example", "status": 404},
    ]
    origins, counts = compiled(tmp_path, rows)
    outcome = {name.removeprefix("https://").removesuffix(".example"): row["outcome"] for name, row in origins.items()}
    assert [outcome[f"c{i}"] for i in range(8)] == ["unreachable"] * 2 + ["rules"] * 6
    assert [outcome[name] for name in ("loop", "away", "page")] == ["unreachable"] * 3
    assert (outcome["relative"], outcome["gone"]) == ("rules", "allow")
    assert origins["https://c2.example"]["redirected_to"] == "https://c7.example"
    assert origins["https://c2.example"]["sha256"] == origins["https://c7.example"]["sha256"]
    assert counts["redirected"] == 7


def test_bytes_depend_on_the_answers_alone(tmp_path: Path) -> None:
    bodies = [DENY, ALLOW, "User-agent: GPTBot\nDisallow: /*a$\n", "<html>", ""]
    rows = [
        {
            "origin": f"https://h{i % 40}.example",
            "fetched_at": i % 3,
            "body": bodies[i % 5],
            "status": [200, 404, 500][i % 3],
        }
        for i in range(200)
    ]
    digests = set()
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        random.Random(seed).shuffle(rows)
        cut = 70 * seed
        for name, part in (("a", rows[:cut]), ("b", rows[cut:])):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
        files = [str(folder / "b.jsonl"), str(folder / "a.jsonl")]
        compile_snapshots(files, str(folder), TERMS._replace(reading="strict"))
        digests.add(tuple(hashlib.sha256((folder / f).read_bytes()).hexdigest() for f in (INDEX_FILE, ORIGINS_FILE)))
    assert len(digests) == 1


def test_the_index(tmp_path: Path) -> None:
    rows = [{"origin": f"https://h{i}.example", "body": DENY if i % 2 else ALLOW, "fetched_at": 0} for i in range(100)]
    _, counts = compiled(tmp_path, rows)
    assert (counts["origins"], counts["rules"], counts["allow"]) == (100, 50, 50)
    reader = pa.ipc.open_file(str(tmp_path / INDEX_FILE))
    assert reader.schema.equals(INDEX)
    table = reader.read_all()
    index = OriginIndex(str(tmp_path / INDEX_FILE))
    ids = table.column("origin_id").to_numpy()
    assert (ids[1:] > ids[:-1]).all()
    found = index.find([f"https://h{i}.example" for i in range(101)])
    assert found[100] == -1
    for i in range(100):
        assert table.column("origin")[int(found[i])].as_py() == f"https://h{i}.example"
        assert OUTCOMES[index.outcomes(found[i : i + 1])[0]] == ("rules" if i % 2 else "allow")


def test_no_snapshot(tmp_path: Path) -> None:
    counts = compile_snapshots([], str(tmp_path), TERMS)
    assert counts["origins"] == counts["records"] == 0
    assert OriginIndex(str(tmp_path / INDEX_FILE)).find(["https://a.example"]).tolist() == [-1]


def test_a_long_file_is_counted(tmp_path: Path) -> None:
    origins, counts = compiled(tmp_path, [{"origin": "https://a.example", "body": DENY + "# x\n" * 1_250_000}])
    assert counts["truncated"] == 1
    assert origins["https://a.example"]["truncated"]
    assert origins["https://a.example"]["outcome"] == "rules"
