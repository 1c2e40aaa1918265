"""The configs that come with Lauter: each is valid, and those of Apertus say what Apertus ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lauter.trainer.config.load import load, phases
from lauter.trainer.config.sections import GoldfishSection, RunSection
from lauter.trainer.config.shape import model_shape
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.parts import check_batches
from lauter.trainer.parallel.context.split import require_shares
from lauter.trainer.parallel.pipeline.placing import require_stages
from lauter.trainer.parallel.tensor.pieces import require_fit
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
    for name, ranks in (("8b.yaml", 512), ("70b.yaml", 2048)):
        nodes, each = map(
            int, re.findall(r"torchrun --nnodes (\d+) --nproc-per-node (\d+)", (FOLDER / name).read_text())[0]
        )
        assert nodes * each == ranks
        parallel = _load(name).parallel
        check_batches(_load(name), ranks // (parallel.tensor * parallel.pipeline))


PHASES = ("8k", "16k", "32k", "64k")
THETAS = (1e6, 2e6, 4e6, 12e6)
STEPS = {"8b.yaml": (9350, 6930, 7000, 3480), "70b.yaml": (4680, 3470, 3500, 1742)}
SEQUENCES = {"8b.yaml": (1024, 512, 256, 128), "70b.yaml": (2048, 1024, 512, 256)}
RANKS = {"8b.yaml": (1024, 2048, 2048, 2048), "70b.yaml": (2048, 2048, 2048, 1024)}
TENSOR = {"8b.yaml": (2, 4, 4, 4), "70b.yaml": (4, 4, 4, 4)}
CONTEXT = {"8b.yaml": (1, 1, 2, 4), "70b.yaml": (1, 2, 4, 8)}


@pytest.mark.parametrize(("name", "rate"), [("8b.yaml", 1.1e-5), ("70b.yaml", 1e-6)])
def test_phases_have_the_numbers_of_the_scripts_for_long_contexts(name: str, rate: float) -> None:
    assert phases(str(FOLDER / name)) == list(PHASES)
    first = _load(name)
    begin = first.schedule.total_tokens
    assert learning_rate(first.schedule, first.optimizer.learning_rate, begin) == pytest.approx(rate)
    for number, phase in enumerate(PHASES):
        section = load(str(FOLDER / name), phase=phase)
        length = 8192 << number
        tokens = STEPS[name][number] * SEQUENCES[name][number] * length
        # Table 8, in billions: 8B and 70B have the same within 1 %.
        assert tokens == pytest.approx((78.55e9, 58.29e9, 58.88e9, 29.28e9)[number], rel=0.01)
        assert (section.schedule.from_tokens, section.schedule.total_tokens) == (begin, begin + tokens)
        begin += tokens
        shape = model_shape(section.model, 131_072, section.data.sequence_length)
        assert (section.data.sequence_length, shape.positions, shape.rope_theta) == (length, length, THETAS[number])
        (stage,) = section.data.stages
        assert stage.mixture is not None
        assert stage.mixture.mixture == f"apertus-long-context-{phase}"
        assert section.data.goldfish == first.data.goldfish
        warm = section.schedule.from_tokens + 1_258_291_200
        for at in (warm, section.schedule.total_tokens):
            assert learning_rate(section.schedule, section.optimizer.learning_rate, at) == rate
        assert (section.batch.sequences, section.batch.micro, section.batch.ramp) == (SEQUENCES[name][number], 1, ())
        parallel = section.parallel
        assert (parallel.tensor, parallel.context) == (TENSOR[name][number], CONTEXT[name][number])
        assert (parallel.pipeline, parallel.stages_per_rank) == ((8, 5) if name == "70b.yaml" else (1, 1))
        share = parallel.tensor * parallel.context * parallel.pipeline
        check_batches(section, RANKS[name][number] // share)
        require_stages(parallel, shape)
        require_shares(parallel, shape, length)
        require_fit(shape, parallel, length // parallel.context)
