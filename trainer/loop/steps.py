"""Step after step: gradient, judgement, update; and what is due after it."""

from __future__ import annotations

import signal
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from lauter.trainer.checkpoint.store import Checkpoints
from lauter.trainer.loop import state
from lauter.trainer.loop.counts import counts_of
from lauter.trainer.loop.enter import Entered
from lauter.trainer.loop.errors import RunFailed
from lauter.trainer.loop.evaluations import Evaluations
from lauter.trainer.loop.faults import given_up, not_applied
from lauter.trainer.loop.garbage import Garbage
from lauter.trainer.loop.guard import Guard, Verdict
from lauter.trainer.loop.line import Step, line_of
from lauter.trainer.loop.metrics import StepLog
from lauter.trainer.loop.parts import Parts
from lauter.trainer.loop.profile import traced
from lauter.trainer.loop.report import Report
from lauter.trainer.loop.saves import Saves
from lauter.trainer.loop.signals import Signals
from lauter.trainer.loop.sinks import Sink, numbers_of, open_sinks
from lauter.trainer.loop.step import Figures, gradient
from lauter.trainer.loop.throughput import peak_flops
from lauter.trainer.loop.validate import HeldOut, held_out_of
from lauter.trainer.loop.watchdog import Watchdog
from lauter.trainer.parallel.plan import compute_dtype
from lauter.trainer.progress import Progress
from lauter.trainer.schedule.batch_size import sequences_at
from lauter.trainer.schedule.learning_rate import learning_rate


class Steps:
    """Where a run stands, and how it gets on."""

    def __init__(
        self,
        parts: Parts,
        checkpoints: Checkpoints,
        guard: Guard,
        entered: Entered,
        watchdog: Watchdog,
        *,
        out: Path,
        report: Report,
    ) -> None:
        """Model and moments are filled, as `entered` says.

        Raises:
            ConfigError: a prompt can't be sampled from, or a probe can't be made.
            DataError: held-out text for the probes can't be read.
        """
        self._parts, self._section, self._ranks = parts, parts.section, parts.ranks
        self._checkpoints, self._guard, self._out, self._report = checkpoints, guard, out, report
        self._entered, self._watchdog = entered, watchdog
        self.progress, self.counts = entered.progress, entered.counts
        self._saved = entered.progress.step if entered.saved else None
        self._due = False
        self._saves = Saves(self._section.checkpoint, report.say)
        self._length = self._section.data.sequence_length
        self._evaluations = Evaluations(parts, watchdog, report, out)
        self._metrics = StepLog(out / "metrics.jsonl")
        last = self._metrics.last() if self._ranks.first else None
        self.loss: float | None = None if last is None else last["loss"]
        self._peak = peak_flops(self._section.metrics, self._ranks, compute_dtype(self._section.precision))
        self._trained_tokens, self._trained_seconds = 0, 0.0
        self._sinks: list[Sink] = []
        self._line: dict[str, Any] = {}

    @property
    def held_out(self) -> HeldOut | None:
        """The last held-out loss; None where none was measured."""
        return self._evaluations.held_out

    @property
    def tokens_per_second(self) -> float | None:
        """Over all ranks, of the steps of this process alone: validation and saving take none of their time."""
        return self._trained_tokens / self._trained_seconds if self._trained_seconds else None

    def run(self, signals: Signals, garbage: Garbage) -> signal.Signals | None:
        """Go on until the tokens are used up or a signal comes; what was done is saved. Returns the signal.

        Raises:
            RunFailed: the guard gave up; the last checkpoint stands.
            CheckpointError: the disk is full, or what else a save says.
            DataError: a shard can't be read.
        """
        if self._ranks.first:
            self._sinks = open_sinks(
                self._section.metrics,
                self._out,
                name=self._section.name,
                config=self._section.model_dump(mode="json"),
                step=self.progress.step,
            )
        try:
            return self._run(signals, garbage)
        finally:
            for sink in self._sinks:
                sink.close()

    def _run(self, signals: Signals, garbage: Garbage) -> signal.Signals | None:
        self._tell_epochs()
        stopped: signal.Signals | None = None
        if self._over():
            self._finished_already()
        while stopped is None and not self._over():
            if not self._step():
                continue
            garbage.after(self.progress.step)
            stopped = signals.agreed(self._ranks)
            self._after(ends=self._over(), hurried=stopped is not None)
            due = self.progress.step % self._section.checkpoint.every_steps == 0
            # Not in a bad stretch: a rollback would come back to it. Its last good state is saved already, or due.
            self._due = (self._due or due) and not self._guard.in_stretch
        if self._over():
            # A signal came in the last step: there is nothing to go on with.
            stopped = None
        if self._saved != self.progress.step:
            self._save()
        self._checkpoints.finish()
        self._saves.tell()
        return stopped

    def _finished_already(self) -> None:
        """Say so; the held-out loss is that of the last step, and measured only where its line has none."""
        total = self._section.schedule.total_tokens
        longer = "raise schedule.total_tokens" if self.progress.tokens >= total else "give data.stages more tokens"
        self._report.say(f"finished already: {self.progress.tokens:,} tokens; {longer} to go on")
        last = self._metrics.last() if self._ranks.first else None
        known = None if last is None or last["step"] != self.progress.step else held_out_of(last)
        self._evaluations.at_the_end(self.progress.step, known)

    def _tell_epochs(self) -> None:
        left = max(self._section.schedule.total_tokens - self.progress.tokens, 0)
        end = self.progress.samples + -(-left // self._length)
        total = self._parts.samples.total
        for name, epochs in self._parts.samples.epochs(end if total is None else min(end, total)).items():
            self._report.say(f"stream {name}: {epochs:.3g} epochs by the end")

    def _next(self, progress: Progress) -> tuple[Progress, int]:
        """Where the next step begins, behind samples that are passed over, and its sequences."""
        while True:
            count = sequences_at(self._section.batch, progress.tokens)
            first = self._guard.next_sample(progress.samples, count)
            if first == progress.samples:
                return progress, count
            # Where it goes on, a step may have another size.
            tokens = progress.tokens + (first - progress.samples) * self._length
            progress = Progress(progress.step, first, tokens)

    def _over(self) -> bool:
        """Whether the tokens are used up, or the data's last stage has no whole step left."""
        progress, count = self._next(self.progress)
        total = self._parts.samples.total
        return progress.tokens >= self._section.schedule.total_tokens or (
            total is not None and progress.samples + count > total
        )

    def _step(self) -> bool:
        """One step; False where it went back instead."""
        begun = time.perf_counter()
        before, count = self._next(self.progress)
        self._watchdog.beat(f"reading for step {before.step + 1}")
        batches = self._parts.loader.step(before.samples, count)
        waited = time.perf_counter() - begun
        after = before.after(count, self._length)
        self._expect(after)
        optimizer = self._parts.optimizer
        traces = self._section.metrics.profile_step == after.step
        self._watchdog.beat(f"gradient of step {after.step}")
        with traced(self._out / "profile", after.step, self._ranks.rank) if traces else nullcontext():
            figures = gradient(
                self._parts.passes,
                optimizer,
                batches,
                z_loss=self._section.z_loss,
                axes=self._parts.axes,
                objective=self._parts.objective,
            )
            rate = learning_rate(self._section.schedule, self._section.optimizer.learning_rate, before.tokens)
            verdict = Verdict.skip
            paused = 0.0
            if figures.targets:
                paused = self._save_if_due(figures)
                verdict = self._guard.judge(before.samples, after.samples, figures.loss, figures.norm)
            if verdict is Verdict.update:
                optimizer.step(rate, figures.norm)
            optimizer.zero_grad()
        if verdict is not Verdict.update:
            self._report.say(not_applied(self._guard, after, figures, verdict))
        if verdict is Verdict.stop:
            raise RunFailed(given_up(self._section.guard, self._guard, before, after, figures))
        if verdict is Verdict.back:
            self._go_back()
            return False
        if verdict is Verdict.update:
            self.counts = self.counts.updated(
                targets=figures.targets,
                goldfish_dropped=figures.goldfish_dropped,
                passed_over=before.samples - self.progress.samples,
            )
        else:
            self.counts = self.counts.skipped(after.samples - self.progress.samples)
        self.progress, self.loss = after, figures.loss
        seconds = time.perf_counter() - begun - paused
        self._trained_tokens += count * self._length
        self._trained_seconds += seconds
        step = Step(before, after, count, figures, rate, verdict)
        self._line = line_of(step, self._parts, seconds=seconds, waited=waited, peak=self._peak)
        self._saves.after_step(seconds, self._checkpoints.written)
        return True

    def _expect(self, progress: Progress) -> None:
        for _ in range(self._section.data.prefetch):
            progress, count = self._next(progress)
            total = self._parts.samples.total
            if total is not None and progress.samples + count > total:
                return
            self._parts.loader.expect(progress.samples, count)
            progress = progress.after(count, self._length)

    def _after(self, *, ends: bool, hurried: bool) -> None:
        """What is due after a step; only its line where the run must leave soon."""
        step = self.progress.step
        if not hurried:
            self._line |= self._evaluations.due(step, ends=ends)
        due = ends or hurried or step % self._section.metrics.every_steps == 0
        # What is seldom and told of is never left out.
        due = due or bool({"held_out", "probes"} & self._line.keys())
        due = due or self._line["verdict"] != Verdict.update.value
        if self._ranks.first and due:
            self._line |= self._saves.line()
            self._metrics.add(self._line)
            for sink in self._sinks:
                sink.write(step, numbers_of(self._line))
            self._report.step(self._line)

    def _save_if_due(self, figures: Figures) -> float:
        """Save the state after the step before, now that this step's gradient shows that its weights are sound.

        A save right after the update could hold what a too large one made of the weights, and the only sound checkpoint
        would be deleted for it. Returns the seconds that it took from the step.
        """
        wanted = self._due and self._guard.fault(figures.loss, figures.norm) is None
        self._due = False
        return self._save() if wanted else 0.0

    def _save(self) -> float:
        self._watchdog.beat(f"saving of step {self.progress.step}")
        if self._guard.in_stretch:
            self._report.say(f"step {self.progress.step} is saved in a bad stretch; a rollback goes further back")
        pause = self._checkpoints.save(
            state.tensors(self._parts.model, self._parts.optimizer),
            state.meta(self._parts, self.progress, self._guard, self._entered.lineage, self.counts),
            self._parts.corpus.tokenizer.files,
        )
        self._saves.add(self.progress.step, pause)
        self._saved = self.progress.step
        return pause.seconds

    def _go_back(self) -> None:
        """To the last checkpoint from before the bad stretch, or to where the run began."""
        self._checkpoints.finish()
        # Where a signal came in the first stretch of all, its checkpoint is the only one there is.
        latest = self._checkpoints.latest_sound() or self._checkpoints.latest()
        if latest is None:
            self.progress, self.counts, self._saved = self._entered.again(), self._entered.counts, None
            self._guard.go_back(None)
        else:
            state.load(self._checkpoints, latest, self._parts.model, self._parts.optimizer)
            self._guard.go_back(latest.meta["guard"])
            self.progress, self.counts = Progress(**latest.meta["progress"]), counts_of(latest.meta)
            self._saved = self.progress.step
        if self._ranks.first:
            self._metrics.cut(self.progress.step)
            self._evaluations.cut(self.progress.step)
            for sink in self._sinks:
                sink.go_back(self.progress.step)
        self._report.say(f"went back to step {self.progress.step}")
