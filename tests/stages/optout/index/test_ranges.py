"""The same index from any number of files, ranges and workers, references across ranges included."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lauter.pipeline.digests import DigestCache
from lauter.pipeline.executors.inline import InlineExecutor
from lauter.pipeline.graph.preparing import working_spec
from lauter.pipeline.manifest import StageSpec
from lauter.pipeline.prepare_alone import prepare_alone
from lauter.pipeline.run import Observer
from lauter.pipeline.storage import Storage, StorageError, stat
from lauter.stages.optout.index import finish
from lauter.stages.optout.index.origins import OriginIndex
from tests.stages.optout.snapshot.test_revisit import record

DENY = "User-agent: *\nDisallow: /x\n"


def compile_in_ranges(
    folder: Path, files: list[Path], range_bytes: int, policy: str = "strict"
) -> tuple[list[str], Mapping[str, Any], int]:
    """Digests of the two files, counts, and tasks that were run."""
    config = {"snapshot": [str(file) for file in files], "policy": policy}
    inputs = tuple(found for file in files if (found := stat(str(file))))
    spec = StageSpec("optout", "lauter.stages.optout.stage:OptOut", config, inputs)
    report, result = prepare_alone(spec, Storage(str(folder)), InlineExecutor, Observer(), range_bytes)
    assert result, report.failures
    return sorted(output.sha256 for output in result.outputs), result.info["counts"], report.executed


def snapshot_rows() -> list[dict[str, Any]]:
    """Origins that redirect to one another, point at licences, and speak in several files and at several times."""
    rows: list[dict[str, Any]] = []
    for i in range(200):
        host = f"https://h{i}.example"
        rows.append({"url": f"{host}/robots.txt", "body": DENY if i % 3 else f"License: /l{i}.xml\n", "fetched_at": i})
        rows.append({"url": f"{host}/robots.txt", "body": "", "fetched_at": i // 2})
        if i % 3 == 0:
            rows.append({"url": f"{host}/l{i}.xml", "body": f"<rsl><content url='/{i}'/></rsl>", "kind": "rsl"})
        if i % 5 == 0:
            rows.append({"url": f"{host}/ai.txt", "body": "User-agent: *\nDisallow: /\n", "fetched_at": 3 * i})
        moved = {"status": 301, "location": f"https://h{(i * 7) % 210}.example/robots.txt", "fetched_at": i}
        rows.append({"url": f"http://h{i}.example/robots.txt", **moved})
    return rows


@pytest.mark.parametrize("policy", ["strict", "default"])
def test_ranges_files_and_order_change_nothing(tmp_path: Path, policy: str) -> None:
    rows = snapshot_rows()
    seen, counted = set(), []
    for number, (files, range_bytes) in enumerate([(1, 1 << 30), (3, 20_000), (5, 7_000)]):
        random.Random(number).shuffle(rows)
        folder = tmp_path / str(number)
        folder.mkdir()
        paths = [folder / f"{i}.jsonl" for i in range(files)]
        for i, path in enumerate(paths):
            path.write_text("".join(json.dumps(row) + "\n" for row in rows[i::files]))
        digests, counts, executed = compile_in_ranges(folder / "out", paths[::-1], range_bytes, policy)
        assert (executed > 3) == (number > 0)
        seen.add(tuple(digests))
        counted.append(counts)
    assert len(seen) == 1
    assert counted[0] == counted[1] == counted[2]
    assert counted[0]["redirected"] > 100
    assert counted[0]["rsl"] > 0


def test_revisits_find_records_of_other_ranges(tmp_path: Path) -> None:
    body = f"HTTP/1.1 200 OK\r\n\r\n{DENY}"
    old, new = tmp_path / "old.warc", tmp_path / "new.warc"
    old.write_bytes(b"".join(record("response", f"h{i}", "2023-01-01", body) for i in range(40)))
    new.write_bytes(
        b"".join(
            record("revisit", f"g{i}", "2024-01-01", "", f"WARC-Refers-To: <urn:x:response-h{i}-2023-01-01>\r\n")
            for i in range(50)
        )
    )
    one = compile_in_ranges(tmp_path / "one", [old, new], 1 << 30)
    many = compile_in_ranges(tmp_path / "many", [old, new], 2_000)
    assert many[2] > 10
    assert one[:2] == many[:2]
    assert (one[1]["revisits"], one[1]["unresolved"]) == (50, 10)


def test_a_second_call_does_only_what_is_new(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.jsonl" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_text("".join(json.dumps(row) + "\n" for row in snapshot_rows()[i::3]))
    compile_in_ranges(tmp_path / "out", paths, 20_000)
    again = compile_in_ranges(tmp_path / "out", paths, 20_000)
    assert again[2] == 0
    (tmp_path / "run" / "state").mkdir(parents=True)
    (tmp_path / "run" / "state" / "plan.json").write_text("{}")
    with pytest.raises(StorageError, match="run folder"):
        compile_in_ranges(tmp_path / "run", paths, 20_000)


def test_many_record_batches_are_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "BATCH_ROWS", 16)
    path = tmp_path / "in.jsonl"
    names = [f"https://h{i}.example" for i in range(500)]
    path.write_text(
        "".join(
            json.dumps({"origin": name, "body": DENY if i % 2 else "", "fetched_at": i}) + "\n"
            for i, name in enumerate(names)
        )
    )
    compile_in_ranges(tmp_path / "out", [path], 1 << 30, "default")
    file = str(tmp_path / "out" / "optout" / finish.INDEX_FILE)
    assert pa.ipc.open_file(file).num_record_batches == 32
    index = OriginIndex(file)
    assert index.rows == 500
    decided = index.decide(pa.array([f"{name}/x" for name in names]))
    assert (decided.row >= 0).all()
    assert len(set(decided.row.tolist())) == 500
    assert ((decided.rule >= 0) == (pa.array(range(500)).to_numpy() % 2 == 1)).all()
    assert set(index.evidence(decided.rule, decided.row).text.to_pylist()) == {None, "Disallow: /x"}
    stamps = index.answers(decided.row).field("fetched_at").cast(pa.int64())
    assert stamps.to_pylist() == list(range(500))


def test_tasks_that_work_on_records_are_not_told_of_snapshot_files(tmp_path: Path) -> None:
    snapshot, hosts = tmp_path / "a.jsonl", tmp_path / "hosts.yaml"
    snapshot.write_text("{}\n")
    hosts.write_text("deny: []\n")
    inputs = tuple(found for file in (snapshot, hosts) if (found := stat(str(file))))
    config = {"snapshot": [str(snapshot)], "hosts_file": str(hosts)}
    spec = StageSpec("optout", "lauter.stages.optout.stage:OptOut", config, inputs)
    digests = DigestCache(Storage(str(tmp_path / "out")))
    told = working_spec(spec, digests)
    assert told["config"] == {"hosts_file": str(hosts)}
    assert told["inputs"] == [digests.sha256(inputs[1])]
