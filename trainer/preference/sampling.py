"""Completions by the reference model itself: several of each prompt, drawn in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from lauter.chat.conversation import Conversation
from lauter.trainer.config.preference import ReferencesSection
from lauter.trainer.generate.generate import generate
from lauter.trainer.model.apertus import Apertus
from lauter.trainer.preference.encoding import Speech


class Completion(NamedTuple):
    """What a model answered."""

    ids: list[int]
    """The end included, where it was said."""
    text: str
    whole: bool
    """Whether it ended by itself."""


Answer = Callable[[Sequence[Conversation]], list[list[Completion]]]
"""As many completions of each conversation as the config says."""


def by_model(model: Apertus, speech: Speech, section: ReferencesSection, seed: int) -> Answer:
    """Draw with a model in this process.

    What is drawn follows from the seed, the prompt's ids and the place among that prompt's completions; the batch
    decides the last bit of the logits at most.
    """

    def answer(conversations: Sequence[Conversation]) -> list[list[Completion]]:
        found: list[list[Completion]] = []
        for first in range(0, len(conversations), section.batch):
            prompts = [speech.prompt(one) for one in conversations[first : first + section.batch]]
            found += drawn(model, speech, prompts, section, seed)
        return found

    return answer


def drawn(
    model: Apertus, speech: Speech, prompts: Sequence[list[int]], section: ReferencesSection, seed: int
) -> list[list[Completion]]:
    """Completions of some prompts, all in one batch. Raises `ValueError` as `generate` does."""
    each, ends = section.completions, speech.ends
    said: list[list[int]] = [[] for _ in range(each * len(prompts))]
    for sequence, token in generate(
        model,
        [prompt for prompt in prompts for _ in range(each)],
        new_tokens=section.new_tokens,
        temperature=section.temperature,
        top_p=section.top_p,
        seed=seed,
        eos=ends,
    ):
        said[sequence].append(token)
    whole = [Completion(ids, speech.text(ids), ids[-1] in ends) for ids in said]
    return [whole[at : at + each] for at in range(0, len(whole), each)]
