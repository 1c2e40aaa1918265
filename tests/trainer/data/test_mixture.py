"""Stages that name a mixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline.mixture import MixtureSection
from lauter.trainer.config.sections import StageSection
from lauter.trainer.data.corpus import open_corpora
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.data.samples import Samples
from tests.trainer.data.corpora import section, shards, write_corpus


def stage(*components: dict[str, Any], tokens: int | None = None) -> StageSection:
    return StageSection(
        name="only",
        tokens=tokens,
        mixture=MixtureSection.model_validate({"mixture": "m", "components": list(components)}),
    )


def drawn(folder: Path, stage: StageSection, samples: int) -> dict[str, int]:
    data = section(folder, sequence_length=16, stages=(stage,))
    read = Samples(open_corpora(data), data, 5)
    found: dict[str, int] = {}
    for number in range(samples):
        name, _ = read._mixture.place(number)
        found[name] = found.get(name, 0) + 1
    return found


def test_a_mixture_decides_what_samples_come_from(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": shards(1), "web": shards(2, rows=9), "wiki": shards(3, rows=2)})
    thrice = stage({"name": "main", "streams": ["main"], "weight": 3}, {"name": "w", "streams": ["w*"], "weight": 1})
    found = drawn(folder, thrice, 400)
    assert found["main"] == pytest.approx(300, abs=1)
    assert found["web"] + found["wiki"] == pytest.approx(100, abs=2)
    tokens = {name: stream.tokens for name, stream in open_corpora(section(folder)).streams.items()}
    assert found["web"] / found["wiki"] == pytest.approx(tokens["web"] / tokens["wiki"], rel=0.1)


def test_epochs_bound_a_small_stream(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": shards(1, rows=40), "wiki": shards(3, rows=2)})
    wiki = open_corpora(section(folder)).streams["wiki"].tokens
    tokens = 20 * wiki
    found = drawn(
        folder,
        stage(
            {"name": "wiki", "streams": ["wiki"], "weight": 1, "epochs": 2},
            {"name": "main", "streams": ["main"], "weight": 1},
            tokens=tokens,
        ),
        tokens // 16,
    )
    assert found["wiki"] * 16 == pytest.approx(2 * wiki, abs=32)


def test_a_stream_that_is_not_there_is_told(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus", {"main": shards(1)})
    with pytest.raises(UnfitError, match="stage 'only': component 'm': no stream with tokens is named mian"):
        drawn(folder, stage({"name": "m", "streams": ["mian"]}), 1)
