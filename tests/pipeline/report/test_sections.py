from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from typing import Any, ClassVar

from rich.console import Console

from lauter.pipeline.conformance import shortcomings
from lauter.pipeline.contract import ReportSection, ReportTable, StageConfig
from lauter.pipeline.report.funnel import print_warnings
from lauter.pipeline.report.sections import ROWS, sections
from tests.pipeline.small_stages import Length

HERE = "tests.pipeline.report.test_sections"


class CountConfig(StageConfig):
    limit: int = 3


class Counting:
    """A stage as far as the report asks it."""

    Config: ClassVar[type[StageConfig]] = CountConfig

    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: CountConfig) -> ReportSection:
        row = next(row for row in summary["funnel"] if row["stage"] == "counting")
        return ReportSection(
            "Counting",
            (f"{row['ended']} of {row['records']}, {prepared['looked']} looked up, {summary['mirrors']}",),
            (("limit", config.limit),),
            (ReportTable("Long", ("n",), tuple((n,) for n in range(ROWS + 5))),),
            {"3.1": ("We count.",)},
            ("Half of [it] is lost.",),
        )


class Silent(Counting):
    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: CountConfig) -> ReportSection:
        return None  # type: ignore[return-value]


class Broken(Counting):
    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: CountConfig) -> ReportSection:
        raise KeyError("nothing")


class Wrong(Counting):
    @classmethod
    def report(cls, summary: Mapping[str, Any], prepared: Mapping[str, int], config: CountConfig) -> ReportSection:
        return "words"  # type: ignore[return-value]


class Mute:
    Config: ClassVar[type[StageConfig]] = CountConfig


def test_a_report_that_is_no_method_is_told_before_any_work() -> None:
    class Worded(Length):
        report = "dropped short lines"

    assert shortcomings(Length) == []
    assert shortcomings(Worded) == ["`report` must be a method"]


def _spec(name: str, cls: type[Any]) -> dict[str, Any]:
    return {"name": name, "target": f"{HERE}:{cls.__name__}", "config": {"limit": 9}, "python_path": ""}


def test_stages_that_have_a_report_are_asked_and_the_others_are_not() -> None:
    specs = [_spec(cls.__name__.lower(), cls) for cls in (Mute, Counting, Silent, Broken, Wrong)]
    reasons = [{"stage": "counting", "reason": "r", "verdict": "dropped", "records": 4}]
    found = sections(specs, {"records": 10, "reasons": reasons}, {"counting": {"looked": 7}}, {"found": 2})
    assert [section["stage"] for section in found] == ["counting", "broken", "wrong"]
    counting = found[0]
    assert counting["sentences"] == ["4 of 10, 7 looked up, {'found': 2}"]
    assert counting["facts"] == [["limit", 9]]
    assert counting["answers"] == {"3.1": ["We count."]}
    console = Console(record=True, width=200, file=StringIO())
    print_warnings(console, {"sections": found})
    assert console.export_text() == "warning: counting: Half of [it] is lost.\n"
    assert (len(counting["tables"][0]["rows"]), counting["tables"][0]["cut"]) == (ROWS, 5)
    assert found[1]["sentences"] == ["Its report could not be made: KeyError: 'nothing'"]
    assert found[2]["sentences"] == [
        "Its report could not be made: TypeError: report() returned a str, not a ReportSection"
    ]
