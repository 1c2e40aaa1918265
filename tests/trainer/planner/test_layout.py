from __future__ import annotations

from dataclasses import replace

import pytest

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.planner.hardware import HARDWARE, this_machine
from lauter.trainer.planner.layout import ROOM, Job, lay, parsed

JOB = Job(PRESETS["apertus-70b"], "bf16", OptimizerSection(), 4096, 4096, True, HARDWARE["gh200"], 4096)


def test_short_and_long_names_mean_the_same() -> None:
    short, micro = parsed("tp=4, pp=8, vpp=5, cp=2, dp=64, micro=2", ParallelSection(replicate=3))
    long, _ = parsed("tensor=4,pipeline=8,stages_per_rank=5,schedule=interleaved,context=2,shard=64", ParallelSection())
    assert short == long
    assert micro == 2
    assert parsed("tensor=2,sequence=false,recompute=full", ParallelSection(compile=True))[0] == ParallelSection(
        tensor=2, sequence=False, recompute="full", compile=True
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tp", "'tp' is no key=value"),
        ("zp=2", "'zp=2' is no key=value of these: pipeline"),
        ("tp=0", "tensor: Input should be greater than or equal to 1"),
        ("schedule=fast", "schedule: Input should be 'gpipe'"),
        ("micro=x", "micro must be a whole number"),
    ],
)
def test_what_a_layout_cannot_say(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^--layout: ") as found:
        parsed(text, ParallelSection())
    assert said in str(found.value)


@pytest.mark.parametrize(
    ("changes", "micro", "said"),
    [
        ({"tensor": 3}, 1, "4096 ranks are not the product"),
        ({"shard": 8}, 1, "4096 ranks are not the product of the layout's axes, 8"),
        ({}, 3, "4096 sequences a step are no multiple of batch.micro (3) x 4096 ranks"),
        ({"tensor": 64}, 1, "parallel.tensor 64 does not divide"),
        ({"pipeline": 128}, 1, "need as many layers"),
        ({"pipeline": 8, "stages_per_rank": 2}, 1, "'1f1b' has 1 stage(s) a rank, not 2"),
        ({"context": 4096}, 1, "no multiple of"),
        ({"pipeline": 64}, 64, "can't run 1 micro-batch(es)"),
    ],
)
def test_what_the_trainer_would_refuse(changes: dict[str, int], micro: int, said: str) -> None:
    shape = replace(JOB.shape, feed_forward=43_000) if "tensor" in changes else JOB.shape
    with pytest.raises(ValueError) as found:
        lay(replace(JOB, shape=shape), ParallelSection.model_validate(changes), micro)
    assert said in str(found.value)


def test_every_step_of_a_ramp_must_be_runnable() -> None:
    section = ParallelSection(tensor=4, pipeline=8)
    with pytest.raises(ValueError, match=r"2000 sequences a step are no multiple of batch.micro \(1\) x 128 ranks"):
        lay(replace(JOB, smaller=(2000,)), section, 1)
    with pytest.raises(ValueError, match=r"can't run 4 micro-batch\(es\) a step over 8 ranks; 8 would do"):
        lay(replace(JOB, smaller=(512,)), section, 1)
    assert lay(replace(JOB, smaller=(2048,)), section, 1).micro_batches == 32


def test_a_layout_and_what_it_takes() -> None:
    found = lay(JOB, ParallelSection(tensor=4, pipeline=8, schedule="interleaved", stages_per_rank=5), 1)
    assert (found.parallel.shard, found.micro_batches) == (128, 32)
    assert found.fits
    assert found.total_bytes == found.memory.total + JOB.hardware.runtime_bytes
    assert found.bubble == pytest.approx(0.0419, abs=1e-4)
    assert set(found.messages) == {"tensor", "shard", "pipeline"}
    small = replace(JOB, hardware=replace(JOB.hardware, memory_bytes=round(found.total_bytes / ROOM) - 10))
    assert not lay(small, found.parallel, 1).fits


def test_on_a_cpu_the_copy_for_saving_is_in_the_same_memory() -> None:
    shape = PRESETS["small"]
    job = replace(JOB, shape=shape, hardware=this_machine(1, 1e11), ranks=1, sequences=8)
    laid, without = lay(job, ParallelSection(), 1), lay(replace(job, asynchronous=False), ParallelSection(), 1)
    # Masters and three moments in fp32.
    assert laid.snapshot_bytes == laid.total_bytes - without.total_bytes == 16 * shape.parameters
    two = lay(replace(job, ranks=2), ParallelSection(), 1)
    assert two.snapshot_bytes == 8 * shape.parameters
