"""What a takedown blanks, and that nothing else changes."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from pathlib import Path

import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from lauter.pipeline.filter.matcher import Matcher
from lauter.pipeline.filter.published import parse
from lauter.pipeline.storage import StorageError
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.yaml_lines import ManifestError
from tests.pipeline.small_run import build, digests, ledger, tokens, write_manifest
from tests.pipeline.takedown.masked import (
    FILES,
    LOST,
    SECRET,
    SHORT,
    STAGES,
    by_url,
    corpus,
    decode,
    from_scratch,
    published,
    take,
    url,
    violations,
)
from tests.pipeline.takedown.searching import places


def test_a_removed_record_keeps_its_place_and_nothing_else(folder: Path) -> None:
    before, packed = by_url(folder / "out"), tokens(folder / "out")
    old = corpus(folder)
    outcome = take(folder, url("kept"), url("bad"), url("dup"))
    row = by_url(folder / "out")["kept"]
    assert (row["verdict"], row["stage"], row["reason"]) == ("removed", "takedown", "url")
    assert (row["text_sha256"], row["chars"], row["duplicate_of"]) == (None, None, None)
    same = ("doc_id", "url", "file", "offset", "length", "stream", "shard", "row", "tokens")
    assert [row[name] for name in same] == [before["kept"][name] for name in same]
    bad = by_url(folder / "out")["bad"]
    assert bad["verdict"] == "removed" and bad["row"] is None
    assert bad["rule"] == {"agent": "tester", "signal": "word", "line": 1, "text": None}
    gone = [item for item in tokens(folder / "out") if item["removed"]]
    assert {item["doc_id"] for item in gone} == {row["doc_id"], by_url(folder / "out")["dup"]["doc_id"]}
    for old_row, new_row in zip(packed, tokens(folder / "out"), strict=True):
        if new_row in gone:
            # Without a sidecar, padding is the id that ends a document.
            assert new_row == {**old_row, "tokens": [257] * int(str(old_row["length"])), "removed": True}
        else:
            assert new_row == old_row
    assert violations(folder / "out") == []
    now = corpus(folder)
    assert now["root"] == outcome.root != old["root"]
    assert now["cause"] == "takedown" and now["roots"][-1]["root"] == old["root"]
    assert now["layout_id"] == old["layout_id"]
    assert outcome.receipt["records"] == {"dropped": 1, "kept": 2}
    assert outcome.receipt["ledger_root"] == {"before": old["ledger_root"], "after": now["ledger_root"]}
    assert build(folder / "manifest.yaml", folder / "out").report.executed == 0
    assert corpus(folder) == now


def test_no_other_decision_changes(folder: Path) -> None:
    """The copies of a removed page stay duplicates, then and in every later build."""
    before = by_url(folder / "out")
    assert before["near"]["duplicate_of"] == before["kept"]["doc_id"]
    outcome = take(folder, url("kept"), url("dup"), url("short"))
    assert outcome.receipt["copies"]["records"] == 2
    after = by_url(folder / "out")
    for name, row in before.items():
        if name not in ("kept", "dup", "short"):
            assert after[name] == row
    (folder / "a3.txt").write_text(f"kept\t{SECRET} copy in another crawl\nnew\tsome words that are new here")
    assert build(folder / "manifest.yaml", folder / "out").report.failures == []
    later = by_url(folder / "out")
    assert later["near"] == before["near"] and later["other"]["verdict"] == "duplicate"
    assert later["new"]["verdict"] == "kept"
    again = [row for row in ledger(folder / "out") if row["url"] == "https://kept.example/"]
    assert [(row["verdict"], row["reason"]) for row in again] == [("removed", "url")] * 2
    assert violations(folder / "out") == []
    assert published(folder / "out") == from_scratch(folder, "fresh")


def test_the_folder_is_the_one_that_a_rebuild_makes(folder: Path) -> None:
    take(folder, url("kept"))
    take(folder, url("m3"), demand("host", "dup.example"))
    take(folder, url("near"), url("n4"), demand("doc-id", str(by_url(folder / "out")["alone"]["doc_id"].hex())))
    now = published(folder / "out")
    assert any(path.startswith("signatures/items/") for path in now)
    assert now == from_scratch(folder, "fresh")
    shutil.rmtree(folder / "out/state")
    assert build(folder / "manifest.yaml", folder / "out").report.executed > 0
    assert published(folder / "out") == now
    assert violations(folder / "out") == []


@pytest.mark.slow
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_any_order_of_demands_and_builds_gives_the_same_folder(data: st.DataObject) -> None:
    """Takedowns, other thresholds and new files in any order: always what a build from scratch makes of the last."""
    _any_order(data)


@pytest.mark.soak
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_order_of_demands_and_builds_at_length(data: st.DataObject) -> None:
    _any_order(data)


def _any_order(data: st.DataObject) -> None:
    names = [line.split("\t")[0] for text in FILES.values() for line in text.split("\n") if "\t" in line]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        words = data.draw(st.sampled_from([1, 2, 9]))
        manifest = write_manifest(folder, FILES, STAGES, tokens_per_shard=1500, tokens_per_row_group=300)
        build(manifest, folder / "out")
        for number in range(data.draw(st.integers(1, 3))):
            take(
                folder,
                *map(url, data.draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))),
                with_copies=data.draw(st.booleans()),
            )
            act = data.draw(st.sampled_from(["nothing", "words", "file", "fewer"]))
            if act == "words":
                words = data.draw(st.sampled_from([1, 2, 9]))
                stages: list[object] = ["words", {"length": {"min_words": words}}, "same-text"]
                write_manifest(
                    folder, {"b.txt": FILES["b.txt"]}, stages, tokens_per_shard=1500, tokens_per_row_group=300
                )
            elif act == "file":
                (folder / f"b{number}.txt").write_text(f"{data.draw(st.sampled_from(names))}\t{SECRET} copy {number}")
            elif act == "fewer":
                (folder / "a2.txt").write_text(FILES["a2.txt"].split("\n", 3)[3])
            assert build(manifest, folder / "out").report.failures == []
        assert violations(folder / "out") == []
        assert published(folder / "out") == from_scratch(folder, "fresh")


def test_only_inputs_with_a_removed_record_are_read_again(folder: Path) -> None:
    take(folder, url("kept"))
    text = (folder / "manifest.yaml").read_text()
    (folder / "manifest.yaml").write_text(text.replace("min_words: 2", "min_words: 3"))
    mark = time.time_ns()
    build(folder / "manifest.yaml", folder / "out")
    records = (folder / "out/state/documents").rglob("*.json")
    assert [path.name for path in records if path.stat().st_mtime_ns >= mark] == ["a1.txt.json"]
    assert published(folder / "out") == from_scratch(folder, "fresh")
    assert not any("a1.txt" in name for name in places(folder / "out", SECRET, decode))


def test_the_text_is_nowhere(folder: Path) -> None:
    """Kept, duplicate, softly dropped and hard dropped: all of it was somewhere, and then is nowhere."""
    out = folder / "out"
    for said in (SECRET, LOST, SHORT):
        assert {name.split("/")[0] for name in places(out, said, decode)} >= {"documents"}
    assert {name.split("/")[0] for name in places(out, SECRET, decode)} == {"documents", "tokens", "state"}
    rows = by_url(out)
    gone = [rows[name] for name in ("kept", "near", "dup", "other", "short")]
    text = f"{SECRET} copy the first"
    traces = [str(row["text_sha256"].hex()) for row in gone]
    # Items, and the near key of a text, whose lowest bit is the engine's; as numbers, and as they lie in a file.
    items = [xxhash.xxh3_64_intdigest(value) for value in (f"{LOST} and more", SHORT, text)]
    items.append(xxhash.xxh3_64_intdigest(SECRET) & ~1)
    traces += [repr(item) for item in items]
    traces += [item.to_bytes(8, "little").decode("latin-1") for item in items]
    assert hashlib.sha256(text.encode()).hexdigest() in traces
    assert all(places(out, trace, decode) for trace in traces)
    take(folder, url("kept"), url("dup"), url("short"), url("bad"), with_copies=True)
    assert {row["verdict"] for name, row in by_url(out).items() if name in ("near", "other")} == {"removed"}
    for said in (SECRET, LOST, SHORT, "nineteen copper", "umbrellas", *traces):
        assert places(out, said, decode) == set(), said
    build(folder / "manifest.yaml", out)
    (folder / "a4.txt").write_text("later\twords that came later")
    build(folder / "manifest.yaml", out)
    for said in (SECRET, LOST, SHORT, *traces):
        assert places(out, said, decode) == set(), said


def test_a_copy_is_counted_and_taken_along_only_if_asked(folder: Path) -> None:
    counted = take(folder, url("kept")).receipt["copies"]
    near = str(by_url(folder / "out")["near"]["doc_id"].hex())
    assert counted == {"taken": False, "records": 1, "verdicts": {"duplicate": 1}, "doc_ids": [near]}
    assert by_url(folder / "out")["near"]["verdict"] == "duplicate"
    again = take(folder, url("kept"), with_copies=True)
    assert again.receipt["demands"][-1]["kind"] == "copy"
    row = by_url(folder / "out")["near"]
    assert (row["verdict"], row["reason"]) == ("removed", "copy")
    assert violations(folder / "out") == []
    nothing = take(folder, url("kept"), with_copies=True)
    assert nothing.root is None and nothing.receipt["records"] == {"removed": 1}


def test_hosts_are_taken_whole_and_subdomains_only_if_asked(tmp_path: Path) -> None:
    names = ("a", "www.a", "b.a", "xa", "a.b")
    manifest = write_manifest(tmp_path, {"a.txt": "\n".join(f"{name}\ttext of page {name}" for name in names)})
    build(manifest, tmp_path / "out")
    assert take(tmp_path, demand("host", "A.Example.")).receipt["records"] == {"kept": 1}
    found = take(tmp_path, demand("host", "*.a.example"), demand("host", "*.b.example"))
    assert [item["records"] for item in found.receipt["demands"]] == [3, 1]
    removed = {name for name, row in by_url(tmp_path / "out").items() if row["verdict"] == "removed"}
    assert removed == {"a", "www.a", "b.a", "a.b"}


def test_a_demand_that_hits_nothing_waits_for_a_later_crawl(folder: Path) -> None:
    outcome = take(folder, url("later"))
    assert [item["records"] for item in outcome.receipt["demands"]] == [0]
    (folder / "a5.txt").write_text("later\twords that came later")
    build(folder / "manifest.yaml", folder / "out")
    assert by_url(folder / "out")["later"]["verdict"] == "removed"
    assert not places(folder / "out", "that came later", decode)
    known = parse((folder / "out/takedown/output-filter.json").read_bytes())
    assert len(known.hashes) == 0, "four words are no gram"


def test_a_manifest_may_name_lists_of_other_corpora(folder: Path) -> None:
    take(folder, url("kept"), url("short"))
    shutil.copy(folder / "out/takedown/tombstones.jsonl", folder / "list.jsonl")
    text = (folder / "manifest.yaml").read_text()
    (folder / "manifest.yaml").write_text(text + "takedown: [list.jsonl]\n")
    build(folder / "manifest.yaml", folder / "other")
    assert digests(folder / "other") == digests(folder / "out")
    assert violations(folder / "other") == []
    (folder / "list.jsonl").write_text('{"kind": "page", "value": "00", "number": 1}\n')
    with pytest.raises(ManifestError, match=r"list\.jsonl:1: is no demand: unknown kind 'page'"):
        build(folder / "manifest.yaml", folder / "third")


def test_a_published_corpus_without_its_state_can_be_masked(folder: Path) -> None:
    take(folder, url("m1"))
    shutil.rmtree(folder / "out/state")
    (folder / "a1.txt").unlink()
    take(folder, url("kept"))
    assert by_url(folder / "out")["kept"]["verdict"] == "removed"
    assert violations(folder / "out") == []
    assert len(corpus(folder)["roots"]) == 2


def test_the_filter_knows_what_was_removed(folder: Path) -> None:
    take(folder, url("kept"), url("dup"))
    known = parse((folder / "out/takedown/output-filter.json").read_bytes())
    matcher = Matcher([known])
    said = f"As I said: “The QUIET heron of Wetherby, counted\nnineteen copper kettles; at dawn” and {SECRET[:20]}."
    assert (matcher.feed(said.encode()) + matcher.finish()).decode() == f"As I said: “[removed]” and {SECRET[:20]}."
    assert matcher.spans == 1
    raw = (folder / "out/takedown/output-filter.json").read_text()
    assert not any(word in raw for word in ("heron", "wetherby", "kettles"))


def test_an_unfinished_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="holds no finished corpus; run `lauter build` to its end"):
        take(tmp_path, url("a"))
