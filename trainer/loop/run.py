"""A run: steps until the tokens are used up, watched, measured and saved, that goes on where it stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from lauter.trainer.checkpoint.layout import step_name
from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.config.sections import RunSection
from lauter.trainer.data.shard import marks_loss
from lauter.trainer.data.verify import Verify
from lauter.trainer.loop.compiled import compiled_before
from lauter.trainer.loop.enter import Wanted, enter
from lauter.trainer.loop.errors import ConfigError
from lauter.trainer.loop.folder import CONFIG, require_run_folder
from lauter.trainer.loop.garbage import Garbage
from lauter.trainer.loop.guard import Guard
from lauter.trainer.loop.lock import locked
from lauter.trainer.loop.metrics import StepLog
from lauter.trainer.loop.parts import Parts, assemble
from lauter.trainer.loop.report import Outcome, Report, summary
from lauter.trainer.loop.signals import Signals
from lauter.trainer.loop.sinks import check_sinks
from lauter.trainer.loop.steps import Steps
from lauter.trainer.loop.unigram import unigram_entropy
from lauter.trainer.loop.watchdog import Watchdog, complain
from lauter.trainer.parallel.plan import let_go
from lauter.trainer.parallel.ranks import Ranks, leave
from lauter.trainer.parallel.ranks import start as start_ranks

LOGS = ("metrics.jsonl", "samples.jsonl")


def train(
    section: RunSection,
    out: Path,
    *,
    start: Path | None,
    console: Console,
    cooldown: int | None = None,
    schedule: tuple[str, ...] = (),
    verify: Verify = "quick",
) -> Outcome:
    """Train in a run folder: from nothing, from `start` (a checkpoint of another run), or from where it stopped.

    Under torchrun every process calls it; the first one writes and speaks. `cooldown` and `schedule` are those of
    `Wanted`; `verify` says how closely the corpora are looked at before the first step.

    Raises:
        ConfigError: the config does not fit ranks, tokenizer or run folder.
        DataError: something is wrong with a corpus; `UnfitError`: with what the config asks of it.
        CheckpointError: a checkpoint could not be written or read.
        RunFailed: the guard gave up, or another run holds the folder.
    """
    try:
        check_sinks(section.metrics)
        ranks = start_ranks()
    except ValueError as error:
        raise ConfigError(str(error)) from error
    spoken = console if ranks.first else Console(quiet=True)
    wanted = Wanted(start, cooldown, schedule)
    outcome = train_on(ranks, section, out, wanted=wanted, console=spoken, verify=verify)
    # Not after a failure: the others may be anywhere, and torchrun ends them.
    leave(ranks)
    return outcome


def train_on(
    ranks: Ranks, section: RunSection, out: Path, *, wanted: Wanted, console: Console, verify: Verify = "quick"
) -> Outcome:
    """As `train`, in a process group that is there."""
    report = Report(console, section.schedule.total_tokens)
    if ranks.first:
        require_run_folder(out)
    with locked(out, report.say) if ranks.first else nullcontext():
        return _train(ranks, section, out, wanted, verify, report)


def _train(ranks: Ranks, section: RunSection, out: Path, wanted: Wanted, verify: Verify, report: Report) -> Outcome:
    started = time.monotonic()
    parts = assemble(section, ranks, verify, report.say)
    try:
        checkpoints = Checkpoints(
            out / "checkpoints", section.checkpoint, rank=ranks.rank, ranks=ranks.count, warn=report.say
        )
        guard = Guard(section.guard)
        words = "1 process" if ranks.count == 1 else f"{ranks.count} processes"
        report.say(
            f"{section.name}: {parts.shape.parameters:,} parameters, {parts.shape.non_embedding_parameters:,} without "
            f"embeddings; {section.precision}, {words} on {ranks.device.type}"
        )
        for line in told_of(parts):
            report.say(line)
        entered = enter(parts, checkpoints, guard, wanted, report.say)
        if parts.objective is not None and entered.progress.step == 0:
            parts.objective.begin(parts.passes, parts.axes)
            let_go(parts.model)
        section = entered.section
        parts = replace(parts, section=section)
        report.until(section.schedule.total_tokens)
        if ranks.first:
            (out / CONFIG).write_text(section.model_dump_json(indent=1) + "\n", encoding="utf-8")
            for log in LOGS:
                StepLog(out / log).cut(entered.progress.step)
        watchdog = Watchdog(ranks, section.launch.hang_seconds, out, complain)
        steps = Steps(parts, checkpoints, guard, entered, watchdog, out=out, report=report)
        if ranks.device.type == "cpu" and not compiled_before():
            report.say("compiles its kernels, once on a machine: the first step takes longer")
        listening = Signals(speaks=ranks.first)
        with report, last_save_told(checkpoints, report.say), listening as signals, Garbage() as garbage, watchdog:
            stopped = steps.run(signals, garbage)
        outcome = Outcome(
            out=out,
            checkpoint=out / "checkpoints" / step_name(steps.progress.step),
            step=steps.progress.step,
            samples=steps.progress.samples,
            tokens=steps.progress.tokens,
            loss=steps.loss,
            held_out=steps.held_out,
            unigram_entropy=None if stopped else entropy_seen(parts, steps.progress.samples),
            tokens_per_second=steps.tokens_per_second,
            seconds=time.monotonic() - started,
            stopped_by=None if stopped is None else stopped.name,
        )
    finally:
        parts.loader.close()
    for line in summary(outcome):
        report.say(line)
    if stopped is not None:
        report.say(f"stopped by {stopped.name}; the same command goes on from here")
    return outcome


@contextmanager
def last_save_told(checkpoints: Checkpoints, tell: Callable[[str], None]) -> Iterator[None]:
    """A run that fails still tells how its last save ended; the error that it failed with stays the main one."""
    try:
        yield
    except Exception:
        try:
            checkpoints.finish()
        except Exception as error:  # Other ranks may be gone: then the process group raises what it likes.
            tell(f"the save that was under way failed too: {error}")
        raise


def told_of(parts: Parts) -> Iterator[str]:
    """What of model and data takes no part in the training, and what does that hardly should, a line each."""
    if parts.section.lora is not None:
        trained = sum(one.numel() for one in parts.model.parameters() if one.requires_grad)
        yield f"{trained:,} parameters of low-rank parts are trained here, all others stay"
    if parts.section.objective == "sft":
        for name, stream in parts.corpus.streams.items():
            # Not refused: pages may well be mixed in. All shards of a stream are of one build, so one of them tells.
            if not any(marks_loss(shard) for shard in stream.shards[:1]):
                yield f"stream {name} is of no dialogues: every token of it carries loss, not answers alone"
    for name, left_out in parts.samples.left_out.items():
        what = "end with their first window" if parts.section.data.overlong == "truncate" else "are left out"
        yield (
            f"stream {name}: {left_out.documents:,} document(s) of more than {parts.section.data.sequence_length:,} "
            f"tokens {what}, {left_out.tokens:,} tokens of an epoch"
        )


def entropy_seen(parts: Parts, samples: int) -> float:
    """Unigram entropy of the first `samples` samples."""
    return unigram_entropy(
        parts.samples.batch,
        samples,
        sequence_length=parts.section.data.sequence_length,
        ids=parts.shape.vocabulary,
        ranks=parts.ranks,
    )
