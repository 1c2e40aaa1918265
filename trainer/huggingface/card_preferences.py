"""What a model card says of the preferences that a model learnt from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lauter.trainer.huggingface.markdown import table


def is_preferences(provenance: Mapping[str, Any]) -> bool:
    """Whether it is of pairs of completions, and not of a corpus."""
    return "reference" in provenance


def preferences_told(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Markdown, a part each; `provenance` is what a checkpoint says of its preference data."""
    yield "### Preferences"
    yield (
        "The model learnt which of two answers to a prompt is the better one. Answers were drawn from the checkpoint "
        "that it began with; a program, a model or a judge gave each a reward."
    )
    yield table(_rows(provenance))


def _rows(provenance: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    counts, reward = provenance["counts"], provenance["reward"]
    for key, label in (("pairs", "pairs"), ("prompts", "prompts"), ("completions", "answers with a reward")):
        yield label, f"{counts[key]:,}"
    (kind,) = reward.keys() & {"function", "model", "judge"}
    told = reward[kind]
    yield "rewards by", f"{kind} {told['model'] if isinstance(told, Mapping) else told}"
    for prompts in provenance["prompts"]:
        yield f"SHA-256 of {prompts['name']}", prompts["sha256"]
    yield "reference model", f"{provenance['reference']['checkpoint']}, {provenance['reference']['files_sha256']}"
    yield "SHA-256 of preferences.json", provenance["root"]
    yield "digest of the tokenizer", provenance["tokenizer"]["sha256"]
