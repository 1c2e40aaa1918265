"""The texts that a corpus was planted with are read again from its inputs, and only from those very files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.cli.planted import planted_at
from lauter.pipeline.planted_texts import planted_texts
from lauter.pipeline.planting import Drawn, Planted
from lauter.stages.catalogue import CATALOGUE

PROBES = """\
probes:
  - {id: one, text: a text, repetitions: 3, bucket: some}
canaries:
  - {bucket: rare, count: 1, length: 4, repetitions: 0, form: "Say {}!", alphabet: ab, seed: 3}
"""


@pytest.fixture
def corpus(tmp_path: Path) -> dict[str, Any]:
    """What corpus.json says of one file of probes."""
    path = tmp_path / "probes.yaml"
    path.write_text(PROBES)
    digest = hashlib.sha256(PROBES.encode()).hexdigest()
    return {
        "probes": [{"source": "own", "file": "probes.yaml", "sha256": digest}],
        "inputs": [{"source": "own", "file": "probes.yaml", "uri": str(path)}],
        "sources": {"own": {"kind": "probes", "options": {}}},
    }


def test_texts_come_with_what_they_are(corpus: dict[str, Any], tmp_path: Path) -> None:
    one, canary = planted_texts(corpus, CATALOGUE)
    assert one == Planted("one", "a text", 3, "passage", "some", None)
    assert canary.drawn == Drawn(4, 8, "ab")
    assert set(canary.text[4:8]) <= set("ab")
    assert (canary.text[:4], canary.text[8:], canary.repetitions) == ("Say ", "!", 0)
    found, told = planted_at(str(tmp_path / "probes.yaml"))
    assert found == [one, canary]
    assert told == {"file": "probes.yaml", "sha256": corpus["probes"][0]["sha256"]}


def test_another_file_is_not_taken_for_it(corpus: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "probes.yaml").write_text(PROBES.replace("a text", "another"))
    with pytest.raises(ValueError, match="is not the file that was planted"):
        planted_texts(corpus, CATALOGUE)
    (tmp_path / "probes.yaml").unlink()
    with pytest.raises(ValueError, match="name the file of probes itself"):
        planted_texts(corpus, CATALOGUE)
    with pytest.raises(ValueError, match="nothing is planted"):
        planted_texts({"inputs": []}, CATALOGUE)
    with pytest.raises(ValueError, match="no finished run folder"):
        planted_at(str(tmp_path))
