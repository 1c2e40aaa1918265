from __future__ import annotations

from dataclasses import replace

from lauter.trainer.config.parallel import ParallelSection
from lauter.trainer.config.sections import OptimizerSection
from lauter.trainer.model.presets import PRESETS
from lauter.trainer.planner.hardware import HARDWARE
from lauter.trainer.planner.layout import Job, lay
from lauter.trainer.planner.suggest import suggestions

JOB = Job(PRESETS["apertus-8b"], "bf16", OptimizerSection(), 4096, 1024, True, HARDWARE["h100"], 64)
BASE = ParallelSection(compile=True, context_kind="ulysses")


def test_what_fits_comes_first_and_the_fastest_of_it() -> None:
    found = suggestions(JOB, BASE, 4)
    fitting = [one for one in found if one.laid.fits]
    assert fitting
    assert found[: len(fitting)] == fitting
    rates = [one.laid.speed.tokens_per_second for one in fitting]
    assert rates == sorted(rates, reverse=True)
    assert all(one.why.startswith("fits: ") for one in fitting)
    for one in found:
        parallel = one.laid.parallel
        assert parallel.pipeline * parallel.replicate * (parallel.shard or 0) * parallel.context * parallel.tensor == 64
        assert (parallel.compile, parallel.context_kind) == (True, "ulysses")
        # Each can be run, as it stands.
        assert lay(JOB, parallel, one.laid.micro) == one.laid
    assert len({one.laid.parallel.model_dump_json() for one in found}) == len(found)


def test_as_little_is_recomputed_as_can_be() -> None:
    small = replace(JOB, hardware=replace(JOB.hardware, memory_bytes=30 * 10**9))
    much, little = (
        {
            one.laid.parallel.model_copy(update={"recompute": "none"}).model_dump_json(): one
            for one in suggestions(job, BASE, 1)
        }
        for job in (JOB, small)
    )
    modes = {(much[key].laid.parallel.recompute, little[key].laid.parallel.recompute) for key in much if key in little}
    assert ("none", "full") in modes
    assert ("full", "none") not in modes


def test_what_does_not_fit_says_what_is_too_much() -> None:
    tight = replace(JOB, hardware=replace(JOB.hardware, memory_bytes=4 * 10**9), ranks=2)
    found = suggestions(tight, BASE, 1)
    assert found
    assert not any(one.laid.fits for one in found)
    assert all("does not fit: " in one.why and "GiB with 8% left free; most are " in one.why for one in found)
    sizes = [one.laid.total_bytes for one in found]
    assert sizes == sorted(sizes)
