"""Parts of the model card that hold figures by language: held-out losses, and shares of the data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from lauter.trainer.huggingface.markdown import headed, table

LARGEST = 30
"""Rows of a table by language: a corpus may have over a thousand, which nobody reads."""

LEAST_SHARE = 0.001
"""A language of a smaller share of the tokens is not claimed at the head of the card."""

_NO_LANGUAGE = frozenset({"und", "zxx", "mul"})
"""ISO 639-3: undetermined, no linguistic content, several."""


def language_codes(data: Mapping[str, Any]) -> tuple[list[str], bool]:
    """ISO 639-3 codes of the data's languages, sorted, and whether small ones were left out.

    Shares are of the tokens whose language is known. None is left out where a checkpoint does not say how many tokens
    each has.
    """
    tokens: Mapping[str, int] = data.get("language_tokens") or {}
    total = sum(tokens.values())
    if not total:
        return sorted({_code(name) for name in data.get("languages") or ()} - _NO_LANGUAGE), False
    # A language in two scripts is one.
    by_code: Counter[str] = Counter()
    for name, count in tokens.items():
        by_code[_code(name)] += count
    large = {code for code, count in by_code.items() if count >= LEAST_SHARE * total}
    return sorted(large - _NO_LANGUAGE), True


def held_out_figures(measured: Mapping[str, Any]) -> Iterator[str]:
    """The last held-out loss, as a whole and by language; nothing where it is not known."""
    held_out = measured.get("held_out")
    if held_out is None:
        return
    yield "## Held-out loss"
    yield (
        f"At step {held_out['step']:,}: mean cross-entropy in nats a token, over {held_out['targets']:,} tokens of "
        "shards that were not trained on."
    )
    rows: list[tuple[str, object]] = [("held-out loss", f"{held_out['loss']:.4f}")]
    if held_out.get("unigram_entropy"):
        rows.append(("unigram entropy of the same tokens", f"{held_out['unigram_entropy']:.4f}"))
    yield table(iter(rows))
    losses: Mapping[str, float] = held_out.get("languages") or {}
    targets: Mapping[str, int] = held_out.get("languages_targets") or {}
    largest = sorted(losses, key=lambda name: (-targets.get(name, 0), name))[:LARGEST]
    if largest:
        yield from _of_all(len(largest), len(losses))
        yield headed(
            ("language", "held-out loss", "tokens"),
            [(name, f"{losses[name]:.4f}", targets.get(name)) for name in largest],
        )


def language_shares(data: Mapping[str, Any]) -> Iterator[str]:
    """The languages with the most tokens; nothing where that is not known."""
    tokens: Mapping[str, int] = data.get("language_tokens") or {}
    total = sum(tokens.values())
    if not total:
        return
    largest = sorted((name for name in tokens if tokens[name]), key=lambda name: (-tokens[name], name))
    yield "### Languages"
    yield (
        "Of the corpora's tokens whose language is known, held-out shards included; a mixture may have read some more "
        "often than others."
    )
    yield from _of_all(min(len(largest), LARGEST), len(largest))
    yield headed(
        ("language", "tokens", "share"),
        [(name, tokens[name], f"{tokens[name] / total:.2%}") for name in largest[:LARGEST]],
    )


def _of_all(shown: int, count: int) -> Iterator[str]:
    if shown < count:
        yield f"The {shown} largest of {count:,} languages:"


def _code(language: str) -> str:
    return language.split("_")[0]
