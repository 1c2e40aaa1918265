"""The item of a removed record is its text's hash: it is in no file, whatever other document's component it named."""

from __future__ import annotations

from pathlib import Path

import pytest

from lauter.pipeline.audit import audit
from lauter.pipeline.storage import Storage
from lauter.pipeline.takedown.act import take_down
from lauter.pipeline.takedown.demands import demand
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
