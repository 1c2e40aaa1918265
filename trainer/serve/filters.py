"""The lists of texts that were taken down, as filters before what a model says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lauter.pipeline.filter.matcher import Matcher
from lauter.pipeline.filter.published import FilterBroken, parse
from lauter.trainer.serve.answer import OutputFilter


def filter_maker(paths: Sequence[str]) -> Callable[[], OutputFilter] | None:
    """What makes a filter for each text, of the lists that `lauter takedown` publishes; None without a list.

    A text is held back by up to eight words, until it is certain that it quotes nothing.

    Raises:
        ValueError: a file can't be read, or is no list.
    """
    lists = []
    for path in paths:
        try:
            lists.append(parse(Path(path).read_bytes()))
        except (OSError, FilterBroken) as error:
            raise ValueError(f"--filter {path}: {error}") from error
    return (lambda: Matcher(lists)) if lists else None
