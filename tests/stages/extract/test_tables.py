from __future__ import annotations

import pytest

from lauter.stages.extract.backends import load_resiliparse, load_trafilatura
from lauter.stages.extract.tables import with_bars, with_tables

EXTRACT = {"trafilatura": load_trafilatura(), "resiliparse": load_resiliparse()}
PROSE = "<p>The figures were taken in the year before, and each of them was taken three times by different people.</p>"
DATA = (
    "<table><tr><th>Name</th><th>Value</th></tr><tr><td><p>Mass</p></td><td>12<br>kg</td></tr>"
    "<tr><td>Length</td><td><div>3</div></td></tr></table>"
)


def page_of(body: str) -> str:
    return f"<html><body><article>{PROSE}{body}{PROSE}</article></body></html>"


@pytest.mark.parametrize("backend", EXTRACT)
def test_rows_are_lines_and_cells_stay_apart(backend: str) -> None:
    lines = [" ".join(line.split()) for line in EXTRACT[backend](page_of(DATA)).split("\n")]
    assert "| Name | Value |" in lines
    assert "| Mass | 12 kg |" in lines
    assert "| Length | 3 |" in lines


@pytest.mark.parametrize("backend", EXTRACT)
@pytest.mark.parametrize(
    "table",
    [
        f"<table><tr><td><p>Left words here stand alone.</p></td><td>{DATA}</td></tr></table>",
        f"<table role='presentation'><tr><td><p>Left words here stand alone.</p></td><td>{PROSE}</td></tr></table>",
        "<table><tr><td> </td><td><p>Left words here stand alone.</p></td><td>&nbsp;</td></tr>"
        f"<tr><td>{PROSE}</td></tr></table>",
    ],
)
def test_a_table_for_layout_is_none(table: str, backend: str) -> None:
    text = EXTRACT[backend](page_of(table))
    assert "Left words here stand alone." in text.split("\n")
    assert text.count("|") in (0, 9, 12)  # those of the table of data, which stays one, with or without a rule


@pytest.mark.parametrize(
    ("page", "changed"),
    [
        ("<table><tr><td>a<td>b</table>", "<table><tr><td>a<td>b</table>"),
        ("<table><tr><td>a</td></tr></table>", "<div><div><div>a</div></div></div>"),
        ("<TABLE><TR><TH>a</TH></TR></TABLE>", "<TABLE><TR><TH>a</TH></TR></TABLE>"),
        ("<table><tr><td>never closed", "<table><tr><td>never closed"),
        ("<script>'<table><td>a</td></table>'</script>", "<script>'<table><td>a</td></table>'</script>"),
        ("</table><td>a</td>", "</table><td>a</td>"),
    ],
)
def test_source(page: str, changed: str) -> None:
    assert with_tables(page, flat_cells=False) == changed


def test_bars() -> None:
    assert with_bars("a\nb\t\tc\t\t\t\td\n\t\t\n\te") == "a\n| b | c |  | d |\n\n\te"
