"""Probes during a run. The corpus's tokenizer makes one id of every piece of text: what counts here is when and how."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import DataSection
from lauter.trainer.data.corpus import Corpus, open_corpora
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.probing import read_probing
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, told, write_language

PROBES: dict[str, Any] = {"every_steps": 2, "lengths": [32, 96], "tasks": ["single"], "depths": [0.0, 1.0], "count": 2}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_language(tmp_path_factory.mktemp("corpus"), rows=4)


def test_a_run_asks_every_so_many_steps_and_at_its_end(folder: Path, tmp_path: Path) -> None:
    console = quiet()
    config = section(folder, 3, data={"hold_out_shards": 1}, probes=PROBES)
    train(config, tmp_path / "run", start=None, console=console)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert ["probes" in line for line in lines] == [False, True, True]
    single = lines[-1]["probes"]["single"]
    assert list(single) == ["32", "96"]
    assert single["96"]["probes"] == 4
    assert set(single["96"]["depths"]) == {"0", "1"}
    assert "step 3: probes answered: single " in told(console)
    # They are no part of the training: without them the same is computed.
    train(section(folder, 3, data={"hold_out_shards": 1}), tmp_path / "plain", start=None, console=quiet())
    plain = [json.loads(line) for line in (tmp_path / "plain" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in plain] == [line["loss"] for line in lines]


def _corpus(folder: Path, held: int) -> Corpus:
    return open_corpora(DataSection.model_validate({"corpora": [{"path": str(folder)}], "hold_out_shards": held}))


def test_filler_is_held_out_text_without_control_tokens(folder: Path) -> None:
    probes = section(folder, 1, probes=PROBES).probes
    assert probes is not None
    corpus = _corpus(folder, 1)
    filler = read_probing(probes, corpus, ParallelSection(), 1).source.filler
    assert len(filler) == corpus.held_out["main"].tokens - 2 * 8  # BOS and EOS of eight documents.
    assert filler.min() >= 10
    # Made-up sentences where nothing is held out.
    assert len(read_probing(probes, _corpus(folder, 0), ParallelSection(), 1).source.filler) == 1


def test_what_cannot_be_asked_is_refused_before_the_first_step(folder: Path) -> None:
    corpus = _corpus(folder, 0)
    probes = section(folder, 1, probes={**PROBES, "lengths": [36, 64]}).probes
    assert probes is not None
    with pytest.raises(ConfigError, match=r"probes\.lengths: 36 is no multiple of 8"):
        read_probing(probes, corpus, ParallelSection(tensor=2, context=2), 1)
    many = section(folder, 1, probes={**PROBES, "tasks": ["common-words"], "lengths": [32]}).probes
    assert many is not None
    with pytest.raises(ConfigError, match="probes: task 'common-words' needs more than the length 32"):
        read_probing(many, corpus, ParallelSection(), 1)
