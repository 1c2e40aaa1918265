"""The item of a removed record is its text's hash: it is in no file, whatever other document's component it named."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
from lauter.pipeline.takedown.items import item_files
from tests.pipeline import small_run
from tests.pipeline.similar_stage import CATALOGUE, number, words_of
from tests.pipeline.takedown.searching import places

TEXTS = {f"n{i}": f"one two three four five six seven x{i}" for i in range(6)}
ITEMS = {name: number(" ".join(words_of(text))) for name, text in TEXTS.items()}


@pytest.mark.parametrize("method", ["components", "smaller-neighbour"])
def test_the_item_that_named_a_component_is_nowhere(tmp_path: Path, method: str) -> None:
    first = min(TEXTS, key=ITEMS.__getitem__)
    files = {
        "a.txt": "\n".join(f"{name}\t{TEXTS[name]}" for name in TEXTS if name == first),
        "b.txt": "\n".join(f"{name}\t{TEXTS[name]}" for name in TEXTS if name != first),
    }
    manifest = small_run.write_manifest(tmp_path, files, ["words", {"similar": {"method": method}}], ranges=3)
    out = tmp_path / "out"
    assert small_run.build(manifest, out, catalogue=CATALOGUE).report.failures == []
    traces = [repr(ITEMS[first]), ITEMS[first].to_bytes(8, "little").decode("latin-1")]
    candidates = {f"state/candidates/source-{source}/{source}.txt.arrow" for source in "ab"}
    assert candidates <= set.intersection(*(places(out, trace, str) for trace in traces))
    before = small_run.digests(out)
    take_down(Storage(str(out)), [demand("url", f"https://{first}.example/")], with_copies=False)
    assert [places(out, trace, str) for trace in traces] == [set(), set()]
    assert audit(Storage(str(out)), CATALOGUE).violations == []
    after = small_run.digests(out)
    again = small_run.build(manifest, out, catalogue=CATALOGUE)
    assert again.report.executed == 0 and small_run.digests(out) == after != before
    # Another limit decides anew with all that there was, and leaves as little.
    manifest.write_text(manifest.read_text().replace(f"method: {method}", f"method: {method}\n    prefer: longest"))
    assert small_run.build(manifest, out, catalogue=CATALOGUE).report.executed > 0
    assert [places(out, trace, str) for trace in traces] == [set(), set()]
    assert audit(Storage(str(out)), CATALOGUE).violations == []


def test_a_file_is_of_the_step_that_made_it_last(tmp_path: Path) -> None:
    """As in a build with another `method` that was stopped: records of both methods lie there."""
    files = {"a.txt": "\n".join(f"{name}\t{text}" for name, text in TEXTS.items())}
    out, stale = tmp_path / "out", dict[Path, bytes]()
    for method in ("components", "smaller-neighbour", "components"):
        manifest = small_run.write_manifest(tmp_path, files, ["words", {"similar": {"method": method}}], ranges=2)
        assert small_run.build(manifest, out, catalogue=CATALOGUE).report.failures == []
        for path, content in stale.items():
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        makers = {"members": "members", "component-edges": "route"}
        made = {file.path: record for record, some in item_files(Storage(str(out))).items() for file in some}
        for folder, step in makers.items():
            for name in ("00000", "00001"):
                maker = step if method == "components" else "gather"
                assert made[f"state/{folder}/{name}.arrow"] == f"state/{maker}/{name}.json"
        steps = ("members", "route") if method == "components" else ("gather",)
        stale = {path: path.read_bytes() for step in steps for path in (out / "state" / step).glob("*.json")}
