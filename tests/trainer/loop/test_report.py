from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lauter.trainer.loop.report import Outcome, Report, step_words, summary
from lauter.trainer.loop.validate import HeldOut
from tests.trainer.loop.language import quiet, told

LINE = {
    "step": 7,
    "tokens": 1792,
    "loss": 3.25,
    "gradient_norm": 0.5,
    "learning_rate": 1e-3,
    "tokens_per_second": 1234.5,
    "mfu": 0.25,
    "verdict": "update",
}


def outcome(**changes: Any) -> Outcome:  # noqa: ANN401 - any field
    fields = {
        "out": Path("out"),
        "checkpoint": Path("out/checkpoints/step-0000000007"),
        "step": 7,
        "samples": 56,
        "tokens": 1792,
        "loss": 3.25,
        "held_out": HeldOut(3.0, 100, {"deu_Latn": (3.0, 100)}, 4.0),
        "unigram_entropy": 4.0,
        "tokens_per_second": 1234.5,
        "seconds": 60.0,
        "stopped_by": None,
    }
    return Outcome(**{**fields, **changes})


def test_a_line_for_a_log_says_what_matters() -> None:
    assert step_words(LINE) == ("step 7  loss 3.2500  norm 0.5  rate 0.001  1,792 tokens  1,234 tokens/s  mfu 25.0%")
    assert step_words({**LINE, "mfu": None, "verdict": "skip"}).endswith("tokens/s  skip")


def test_plain_lines_are_few() -> None:
    console = quiet()
    with Report(console, 5000) as report:
        for step in range(1, 50):
            report.step({**LINE, "step": step})
        report.say("a [bold] word")
    assert told(console).splitlines() == [step_words({**LINE, "step": 1}), "a [bold] word"]


@pytest.mark.parametrize(
    ("languages", "said"), [(2, "(l0 1.0000, l1 1.0000)"), (7, "(the largest 6 of 7 languages: l0")]
)
def test_it_is_said_how_many_languages_are_left_out(languages: int, said: str) -> None:
    console = quiet()
    found = HeldOut(1.0, 100, {f"l{number}": (1.0, 50) for number in range(languages)}, 4.0)
    Report(console, 5000).held_out(7, found)
    assert said in told(console)


def test_a_terminal_gets_a_bar() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=160)
    with Report(console, 3584) as report:
        report.step(LINE)
        report.say("kept")
    assert "50.0 %" in told(console)
    assert "kept" in told(console)


@pytest.mark.parametrize(("loss", "said"), [(3.0, "25.0% below"), (5.0, "25.0% above")])
def test_the_summary_compares_with_the_unigram_entropy(loss: float, said: str) -> None:
    lines = summary(outcome(held_out=HeldOut(loss, 100, {}, 4.0), unigram_entropy=5.0))
    assert "unigram entropy  5.0000 nats, of the training tokens" in lines
    assert "                 4.0000 nats, of the held-out tokens" in lines
    assert f"learned          the held-out loss is {said} the held-out tokens' unigram entropy" in lines
    assert lines[-1] == "checkpoint       out/checkpoints/step-0000000007"


def test_what_is_not_known_is_left_out() -> None:
    lines = summary(outcome(loss=None, held_out=None, unigram_entropy=None, tokens_per_second=None))
    assert [line.split("  ")[0] for line in lines] == ["steps", "tokens", "loss", "time", "checkpoint"]


def test_json_has_no_number_that_is_not_finite() -> None:
    found = outcome(loss=float("nan"), held_out=HeldOut(float("nan"), 0, {}, 0.0)).to_json()
    assert found["loss"] is None
    assert found["held_out"]["loss"] is None
