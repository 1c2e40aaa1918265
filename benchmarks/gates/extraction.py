"""Word F1 of the text that extraction finds, by set, language and type of page, beside trafilatura and resiliparse.

Only pages whose domains the learned rule of `cascade` was never trained on: a fifth of all with a known text. The sets
docs-* have the text of the whole page and do not count. Peers, with the options named here:

* trafilatura: `extract(html, include_comments=False)`, its defaults otherwise (`fast=False`, no preference);
* resiliparse: `extract_plain_text(html, main_content=True)`, its defaults otherwise.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.gates.public_data import public_data
from lauter.stages.extract.backends import load_cascade, load_resiliparse, load_trafilatura
from lauter.stages.extract.blocks.cutting import cut
from lauter.stages.extract.blocks.rule import EMBEDDED, load
from lauter.stages.extract.blocks.training.truth import HELD_OUT, LICENCES, Page, read_pages
from lauter.stages.extract.cascade import extracted
from lauter.stages.extract.stage import ExtractConfig

NAME = "extraction"
_GUARDED = ("cascade", "trafilatura", "resiliparse")
"""What may not fall: our backends."""
_LEAST_PAGES = 5
_SETS = (*LICENCES, "htmltotext")


def subjects() -> dict[str, Callable[[bytes], str]]:
    """From a page's UTF-8 to its text, by name; ours first."""
    from resiliparse.extract.html2text import extract_plain_text
    from trafilatura import extract

    config = ExtractConfig(backend="cascade")
    rule, answer = load(EMBEDDED), load_cascade()
    trafilatura, resiliparse = load_trafilatura(), load_resiliparse()

    def cascade(html: bytes) -> str:
        _, blocks = cut(html, max_nodes=config.max_nodes, max_depth=config.max_depth)
        found = extracted(rule, html, blocks, confidence=config.confidence)
        return found if isinstance(found, str) else answer(found.decode("utf-8"))

    return {
        "cascade": cascade,
        "trafilatura": lambda html: trafilatura(html.decode("utf-8")),
        "resiliparse": lambda html: resiliparse(html.decode("utf-8")),
        "bare trafilatura": lambda html: extract(html.decode("utf-8"), include_comments=False) or "",
        "bare resiliparse": lambda html: extract_plain_text(html.decode("utf-8"), main_content=True),
    }


def word_f1(found: str, truth: str) -> float:
    """Harmonic mean of precision and recall over the bags of words of two texts."""
    ours, theirs = (Counter(re.findall(r"\w+", text.lower())) for text in (found, truth))
    return 2 * sum((ours & theirs).values()) / max(1, ours.total() + theirs.total())


def groups(pages: Sequence[Page]) -> dict[str, list[int]]:
    """Places of the pages of each group that has enough: all, sets, languages, types of page."""
    named: dict[str, list[int]] = {"all": list(range(len(pages)))}
    for kind, name_of in _GROUPINGS.items():
        found: dict[str, list[int]] = {}
        for place, page in enumerate(pages):
            if name := name_of(page):
                found.setdefault(f"{kind} {name}", []).append(place)
        named |= {name: found[name] for name in sorted(found) if len(found[name]) >= _LEAST_PAGES}
    return named


_GROUPINGS: dict[str, Callable[[Page], str | None]] = {
    "set": lambda page: page.dataset,
    "language": lambda page: page.language if page.language != "und" else None,
    "type": lambda page: page.kind,
}


def show(rows: Iterable[tuple[str, int, Sequence[float]]], names: Sequence[str]) -> None:
    """Print the table."""
    print(f"{'word F1':<22}{'pages':>6}" + "".join(f"{name:>18}" for name in names))
    for group, count, values in rows:
        print(f"{group:<22}{count:>6}" + "".join(f"{value:>18.4f}" for value in values))


def measure() -> Mapping[str, float]:
    """Mean word F1 of our backends by group. Raises `MissingTestData`."""
    root = public_data("ground_truth.jsonl.gz").parent
    for name in _SETS:
        public_data("warc", f"{name}.warc.gz")
    pages = [page for page in read_pages(root, _SETS) if page.fold == HELD_OUT]
    asked = subjects()
    scores: dict[str, list[float]] = {name: [] for name in asked}
    seconds = dict.fromkeys(asked, 0.0)
    asked["cascade"](pages[0].html)  # compiles the kernels
    for page in pages:
        for name, subject in asked.items():
            before = time.process_time()
            text = subject(page.html)
            seconds[name] += time.process_time() - before
            scores[name].append(word_f1(text, page.truth))
    means = {
        group: {name: sum(scores[name][place] for place in places) / len(places) for name in asked}
        for group, places in groups(pages).items()
    }
    show(((group, len(groups(pages)[group]), [*means[group].values()]) for group in means), [*asked])
    print(f"{'CPU ms a page':<28}" + "".join(f"{seconds[name] / len(pages) * 1e3:>18.2f}" for name in asked))
    return {f"{name}: {group}": means[group][name] for name in _GUARDED for group in means}
