"""What a run looks at besides its steps: held-out loss, continuations of prompts, probes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lauter.trainer.data.held_out import validation_batches
from lauter.trainer.loop.metrics import StepLog
from lauter.trainer.loop.parts import Parts
from lauter.trainer.loop.probing import Probing, probed, read_probing, words
from lauter.trainer.loop.report import Report
from lauter.trainer.loop.sample import Prompts, continuations, read_prompts
from lauter.trainer.loop.validate import HeldOut, validate
from lauter.trainer.loop.watchdog import Watchdog
from lauter.trainer.probes.score import by_length, to_json


class Evaluations:
    """Those that the config asks for; each is done by all ranks together, after the same steps."""

    def __init__(self, parts: Parts, watchdog: Watchdog, report: Report, out: Path) -> None:
        """Nothing is measured yet, but all that it takes is made.

        Raises:
            ConfigError: a prompt can't be sampled from, or a probe can't be made.
            DataError: held-out text for the probes can't be read.
        """
        self._parts, self._section, self._watchdog, self._report = parts, parts.section, watchdog, report
        self.held_out: HeldOut | None = None
        """The last held-out loss."""
        self._prompts: Prompts | None = None
        if self._section.sampling is not None:
            self._prompts = read_prompts(self._section.sampling, parts.corpus.tokenizer, parts.shape)
        self._probing: Probing | None = None
        if self._section.probes is not None:
            self._probing = read_probing(self._section.probes, parts.corpus, self._section.parallel, self._section.seed)
        self._samples = StepLog(out / "samples.jsonl")

    def due(self, step: int, *, ends: bool) -> dict[str, Any]:
        """Do what is due after a step, which is everything where the run `ends`; what of it goes into the step's line.

        Raises:
            DataError: a held-out shard can't be read.
        """
        line: dict[str, Any] = {}
        validation, prompts, probing = self._section.validation, self._prompts, self._probing
        if validation is not None and (ends or step % validation.every_steps == 0):
            line["held_out"] = self._validate(step, validation.sequences).to_json()
        if prompts is not None and (ends or step % prompts.section.every_steps == 0):
            self._sample(step, prompts)
        if probing is not None and (ends or step % probing.section.every_steps == 0):
            line["probes"] = self._probe(step, probing)
        return line

    def at_the_end(self, step: int, known: HeldOut | None) -> None:
        """Of a run that is finished already: the held-out loss that the first rank knows from its log, or a new one."""
        # Only the first rank reads the log; the others go with it, as all measure together or none does.
        (anyone,) = self._parts.ranks.max([float(known is not None)])
        if self._section.validation is None:
            return
        self.held_out = known
        if not anyone:
            self._validate(step, self._section.validation.sequences)

    def cut(self, step: int) -> None:
        """Forget the continuations of later steps: the run goes back."""
        self._samples.cut(step)

    def _validate(self, step: int, sequences: int) -> HeldOut:
        self._watchdog.beat(f"validation after step {step}")
        parts = self._parts
        batches = validation_batches(
            parts.corpus,
            self._section.data,
            sequences=sequences,
            micro=self._section.batch.micro,
            rank=parts.axes.data_rank,
            ranks=parts.axes.data_ranks,
        )
        self.held_out = validate(parts.model, parts.passes, batches, parts.corpus.languages, parts.axes)
        self._report.held_out(step, self.held_out)
        return self.held_out

    def _sample(self, step: int, prompts: Prompts) -> None:
        self._watchdog.beat(f"sampling after step {step}")
        for prompt, text in continuations(self._parts.model, prompts, seed=self._section.seed):
            if self._parts.ranks.first:
                self._samples.add({"step": step, "prompt": prompt, "text": text})
            self._report.sample(step, prompt, text)

    def _probe(self, step: int, probing: Probing) -> dict[str, Any]:
        self._watchdog.beat(f"probes after step {step}")
        parts, tokens = self._parts, self._section.batch.micro * self._section.data.sequence_length
        found = probed(probing, parts.model, parts.passes, parts.axes, tokens=tokens)
        self._report.say(f"step {step}: probes answered: {words(by_length(found))}")
        return to_json(found)
