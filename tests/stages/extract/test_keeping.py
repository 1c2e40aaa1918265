from __future__ import annotations

import time

import pytest

from lauter.stages.extract.keeping import before, for_resiliparse, for_trafilatura, preserving


def test_a_page_with_nothing_to_keep_is_not_touched() -> None:
    page = "<html><body><p>It costs $5, in the context of latexes and precodes.</p></body></html>" * 100
    assert before(page) is page


def test_each_backend_gets_what_it_needs() -> None:
    seen: list[str] = []

    def backend(page: str) -> str:
        seen.append(page)
        return "a\t\tb\n\n\n\n  c  d"

    page = "<table><tr><td>x</td></tr></table>\n<ul><li>words</li></ul><a name=y></a>"
    assert preserving(for_resiliparse(backend))(page) == "| a | b |\n\nc d"
    assert preserving(for_trafilatura(backend))(page) == "a b\n\nc d"
    assert seen[0].startswith("<div>") and "<ul>" not in seen[0]
    assert seen[1].startswith("<div>") and "<ul>" in seen[1] and "\n" not in seen[1] and "name=y" not in seen[1]


@pytest.mark.parametrize(
    "piece",
    [
        "<math>",
        "<math",
        "<span class=katex>",
        "<pre>",
        "<pre><svg><button>",
        "<pre><span class=ln>",
        "<pre><a href=x>",
        "<code><br>",
        "<annotation encoding=tex>",
        "<!--",
        "<script ",
        "<img class=latex alt='",
        "<ul><li>",
        "<table><td>",
        "<div class='cookie-banner'>",
    ],
)
def test_time_grows_with_the_page(piece: str) -> None:
    # A pattern that reads on from each start, or an end looked for from each, would need minutes for these.
    page = piece * 30_000 + "</pre></code></math></table>"
    start = time.process_time()
    preserving(for_resiliparse(lambda page: "We use cookies to improve it"))(page)
    assert time.process_time() - start < 10
