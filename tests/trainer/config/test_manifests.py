"""The configs that come with Lauter: each is valid, and those of Apertus say what Apertus ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lauter.trainer.config.load import load
from lauter.trainer.config.sections import GoldfishSection, RunSection
from lauter.trainer.config.shape import model_shape
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_batches
from lauter.trainer.schedule.batch_size import sequences_at
from lauter.trainer.schedule.learning_rate import learning_rate

FOLDER = Path(__file__).parents[3] / "manifests" / "train"
PLACES = 4096
SAMPLES = 3_662_109_375
"""`train-samples` of Apertus's launch scripts."""


def _load(name: str) -> RunSection:
    return load(str(FOLDER / name))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_is_valid_and_gives_a_model(path: Path) -> None:
    section = _load(path.name)
    assert section.batch.sequences % section.batch.micro == 0
    ids = {"nano": 4096, "tiny": 8192}.get(section.model.preset, 131_072)
    shape = model_shape(section.model, ids, section.data.sequence_length)
    assert shape.vocabulary == ids


@pytest.mark.parametrize(
    ("name", "parameters", "peak"), [("8b.yaml", 8_053_338_176, 1.1e-4), ("70b.yaml", 70_599_864_480, 1e-5)]
)
def test_apertus_has_the_numbers_of_its_launch_scripts(name: str, parameters: int, peak: float) -> None:
    section = _load(name)
    optimizer, schedule = section.optimizer, section.schedule
    assert model_shape(section.model, 131_072, PLACES).parameters == parameters
    assert schedule.total_tokens == SAMPLES * PLACES == 15_000_000_000_000
    assert optimizer.name == "ademamix"
    assert (optimizer.beta1, optimizer.beta2, optimizer.beta3, optimizer.alpha) == (0.9, 0.999, 0.9999, 8)
    assert (optimizer.warmup_steps, optimizer.weight_decay, optimizer.clip) == (100_000, 0.1, 0.1)
    assert section.data.goldfish == GoldfishSection(hash="apertus", k=50, h=50)
    decay = 3_258_203_569  # Sample at which the decay begins.
    rates = {sample: learning_rate(schedule, peak, sample * PLACES) for sample in (2_048_000, 4_096_000, decay)}
    assert rates[2_048_000] == pytest.approx(peak / 2)
    assert rates[4_096_000] == peak
    assert rates[decay] == peak
    assert learning_rate(schedule, peak, (decay + 100_976_452) * PLACES) == pytest.approx(0.55 * peak, rel=1e-6)
    assert learning_rate(schedule, peak, schedule.total_tokens) == pytest.approx(peak / 10)


def test_batches_double_where_apertus_doubled_them() -> None:
    for name, sample, before in (("8b.yaml", 1_718_272_000, 1024), ("70b.yaml", 1_072_164_864, 2048)):
        batch = _load(name).batch
        assert sequences_at(batch, sample * PLACES - 1) == before
        assert sequences_at(batch, sample * PLACES) == 2 * before


def test_stages_begin_where_apertus_began_them() -> None:
    # First iterations of table H.8, and sequences a batch.
    for name, doubled, iterations, before in (
        ("8b.yaml", 1_678_000, [1_678_000, 2_269_525, 2_429_920], 1024),
        ("70b.yaml", 523_518, [569_655, 789_001, 989_501, 1_062_328], 2048),
    ):
        starts = []
        tokens = 0
        for stage in _load(name).data.stages[:-1]:
            tokens += stage.tokens or 0
            starts.append(tokens)
        assert starts == [(doubled * before + (n - doubled) * 2 * before) * PLACES for n in iterations]


def test_the_demo_reads_what_its_makefile_builds() -> None:
    section = _load("nano.yaml")
    (corpus,) = section.data.corpora
    assert Path(corpus.path) == FOLDER.parents[1] / "out" / "train-demo" / "corpus"
    assert section.data.hold_out_shards == 1


def test_launch_lines_have_as_many_ranks_as_the_batches_can_be_shared_by() -> None:
    for name, micro, most in (("8b.yaml", 4, 256), ("8b.yaml", 1, 1024), ("70b.yaml", 1, 2048)):
        section = load(str(FOLDER / name), [f"batch.micro={micro}"])
        check_batches(section, most)
        with pytest.raises(ConfigError, match=r"batch\.sequences"):
            check_batches(section, 2 * most)
    for name, ranks in (("8b.yaml", 256), ("70b.yaml", 2048)):
        nodes, each = map(
            int, re.findall(r"torchrun --nnodes (\d+) --nproc-per-node (\d+)", (FOLDER / name).read_text())[0]
        )
        assert nodes * each == ranks
