"""What a run shows: a bar on a terminal, plain lines elsewhere, and a table at its end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from lauter.trainer.loop.metrics import finite
from lauter.trainer.loop.validate import HeldOut

SECONDS = 10.0
"""Between two plain lines, so that a log of a month can be read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, or where it stands."""

    out: Path
    checkpoint: Path
    step: int
    samples: int
    tokens: int
    loss: float | None
    """Of the last step; none where no step was ever done."""
    held_out: HeldOut | None
    unigram_entropy: float | None
    """Of the training tokens seen, in nats: what a model reaches that knows only how often each token comes. None for
    a run that a signal stopped: it leaves without reading them again."""
    tokens_per_second: float | None
    """Of the steps of this process; none where it did none."""
    seconds: float
    """Since the start of the process's run."""
    stopped_by: str | None
    """The signal's name; none for a run that is complete."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`; what is not finite is null."""
        found: dict[str, Any] = finite(
            {
                "out": str(self.out),
                "checkpoint": str(self.checkpoint),
                "step": self.step,
                "samples": self.samples,
                "tokens": self.tokens,
                "loss": self.loss,
                "held_out": None if self.held_out is None else self.held_out.to_json(),
                "unigram_entropy": self.unigram_entropy,
                "tokens_per_second": self.tokens_per_second,
                "seconds": self.seconds,
                "stopped_by": self.stopped_by,
            }
        )
        return found


class Report:
    """Draws the progress of a run while used as a context."""

    def __init__(self, console: Console, total_tokens: int) -> None:
        self._console = console
        self._printed = float("-inf")
        self._bar = Progress(
            TextColumn("[bold]train[/]"),
            BarColumn(30),
            TextColumn("{task.percentage:>5.1f} %  {task.description}"),
            TimeRemainingColumn(),
            console=console,
            refresh_per_second=2,
            transient=True,
        )
        self._task = self._bar.add_task("", total=total_tokens)

    def __enter__(self) -> Report:
        """Start drawing where there is a terminal."""
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing."""
        if self._console.is_terminal:
            self._bar.stop()

    def until(self, total_tokens: int) -> None:
        """The end is known better: of a cooldown, once its checkpoint is open."""
        self._bar.update(self._task, total=total_tokens)

    def say(self, message: str) -> None:
        """A line that stays."""
        self._console.print(escape(message), soft_wrap=True, highlight=False)

    def step(self, line: Mapping[str, Any]) -> None:
        """A line of metrics.jsonl."""
        told = step_words(line)
        self._bar.update(self._task, completed=line["tokens"], description=told)
        if not self._console.is_terminal and time.monotonic() - self._printed >= SECONDS:
            self._printed = time.monotonic()
            self.say(told)

    def held_out(self, step: int, found: HeldOut) -> None:
        """The losses on held-out shards, the languages with most targets first."""
        named = sorted(found.languages.items(), key=lambda item: (-item[1][1], item[0]))[:6]
        languages = ", ".join(f"{name} {loss:.4f}" for name, (loss, _) in named)
        total = len(found.languages)
        of = f"the largest {len(named)} of {total} languages: " if total > len(named) else ""
        self.say(f"step {step}: held-out loss {found.loss:.4f} over {found.targets:,} targets ({of}{languages})")

    def sample(self, step: int, prompt: str, text: str) -> None:
        """A continuation."""
        self.say(f"step {step}: {prompt!r} -> {text!r}")


def step_words(line: Mapping[str, Any]) -> str:
    """One step in one line."""
    mfu = "" if line["mfu"] is None else f"  mfu {line['mfu']:.1%}"
    left_out = "" if line["verdict"] == "update" else f"  {line['verdict']}"
    return (
        f"step {line['step']}  loss {line['loss']:.4f}  norm {line['gradient_norm']:.3g}  "
        f"rate {line['learning_rate']:.3g}  {line['tokens']:,} tokens  "
        f"{line['tokens_per_second']:,.0f} tokens/s{mfu}{left_out}"
    )


def summary(outcome: Outcome) -> list[str]:
    """The end of a run at a glance, a line each."""
    rows = [
        ("steps", f"{outcome.step:,}"),
        ("tokens", f"{outcome.tokens:,}"),
        ("loss", "-" if outcome.loss is None else f"{outcome.loss:.4f}"),
    ]
    if outcome.held_out is not None:
        rows.append(("held-out loss", f"{outcome.held_out.loss:.4f}"))
    if outcome.unigram_entropy is not None:
        rows.append(("unigram entropy", f"{outcome.unigram_entropy:.4f} nats, of the training tokens"))
    if outcome.held_out is not None and outcome.held_out.unigram_entropy:
        rows.append(("", f"{outcome.held_out.unigram_entropy:.4f} nats, of the held-out tokens"))
        learned = 1 - outcome.held_out.loss / outcome.held_out.unigram_entropy
        side = "below" if learned > 0 else "above"
        rows.append(("learned", f"the held-out loss is {abs(learned):.1%} {side} the held-out tokens' unigram entropy"))
    if outcome.tokens_per_second is not None:
        rows.append(("speed", f"{outcome.tokens_per_second:,.0f} tokens/s"))
    rows += [("time", f"{outcome.seconds:,.1f} s"), ("checkpoint", str(outcome.checkpoint))]
    return [f"{name:<17}{value}" for name, value in rows]
