"""From prompts to pairs, step by step: completions, rewards, pairs. Each block of prompts is a file of each step.

A step that was stopped goes on behind its last file. Blocks are dealt out to the ranks, which wait for each other by
looking for the files: no collective waits for hours of sampling.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lauter.chat.conversation import ChatError
from lauter.chat.record import from_record, to_record
from lauter.pipeline.storage import Storage
from lauter.trainer.config.preference import PreferenceSection
from lauter.trainer.data.errors import UnfitError
from lauter.trainer.parallel.ranks import Ranks
from lauter.trainer.preference.choosing import chosen_pairs
from lauter.trainer.preference.encoding import Speech
from lauter.trainer.preference.folder import has_block, read_block, write_block
from lauter.trainer.preference.prompts import Prompt, read_prompts
from lauter.trainer.preference.quantile import quantile_rewards
from lauter.trainer.preference.rewards import Reward
from lauter.trainer.preference.sampling import Answer, Completion

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Making:
    """What all steps know."""

    section: PreferenceSection
    seed: int
    storage: Storage
    speech: Speech
    ranks: Ranks
    longest: int
    """Tokens of a window: both completions of a pair must fit into one, each with the prompt."""
    most: int
    """Tokens of the longest prompt that is answered."""
    blocks: int

    def own(self, kind: str) -> Iterator[int]:
        """Blocks of a step that are this rank's to make."""
        for block in range(self.ranks.rank, self.blocks, self.ranks.count):
            if not has_block(self.storage, kind, block):
                yield block

    def wait(self, kind: str) -> None:
        """Until all ranks have made theirs."""
        for block in range(self.blocks):
            while not has_block(self.storage, kind, block):
                time.sleep(POLL_SECONDS)


def count_prompts(section: PreferenceSection) -> int:
    """How many there are; reads all files, and so finds all that is wrong with them. Raises `UnfitError`."""
    count = sum(1 for _ in read_prompts(section.prompts))
    if not count:
        raise UnfitError([f"preference.prompts: {', '.join(section.prompts)} hold no prompt"])
    return count


def make_completions(making: Making, answer: Callable[[], Answer], tell: Callable[[str], None]) -> None:
    """Let the reference model answer all prompts; `answer` is made where there is something to do."""
    due = set(making.own("completions"))
    answers = answer() if due else None
    every = read_prompts(making.section.prompts)
    for block in range(making.blocks):
        some = list(islice(every, making.section.block))
        if block not in due:
            continue
        assert answers is not None
        write_block(making.storage, "completions", block, _completed(making, some, block, answers))
        tell(f"completions: block {block + 1} of {making.blocks}")
    making.wait("completions")


def make_rewards(making: Making, reward: Callable[[], Reward], tell: Callable[[str], None]) -> None:
    """Give each completion its reward; `reward` is made where there is something to do."""
    due = list(making.own("rewards"))
    give = reward() if due else None
    for block in due:
        assert give is not None
        rows = []
        for row in read_block(making.storage, "completions", block).to_pylist():
            rewards = give(from_record(row["conversation"]), row["texts"])
            rows.append({"prompt": row["prompt"], "rewards": rewards})
        write_block(making.storage, "rewards", block, rows)
        tell(f"rewards: block {block + 1} of {making.blocks}")
    making.wait("rewards")


def make_pairs(making: Making) -> None:
    """Choose the pairs that are learnt from."""
    for block in making.own("pairs"):
        completions = read_block(making.storage, "completions", block).to_pylist()
        rewards = read_block(making.storage, "rewards", block)["rewards"].to_pylist()
        rows: list[dict[str, Any]] = []
        for row, given in zip(completions, rewards, strict=True):
            rows += _pairs(making, row, np.array(given))
        write_block(making.storage, "pairs", block, rows)
    making.wait("pairs")


def _completed(making: Making, some: list[Prompt], block: int, answers: Answer) -> list[dict[str, Any]]:
    first = block * making.section.block
    ids = [making.speech.prompt(one.conversation) for one in some]
    fit = [place for place, one in enumerate(ids) if len(one) <= making.most]
    try:
        found = answers([some[place].conversation for place in fit])
    except ChatError as error:
        raise UnfitError(
            [f"preference.prompts: one of the prompts {first} to {first + len(some) - 1}: {error}"]
        ) from error
    rows = []
    for place, said in zip(fit, found, strict=True):
        every = [*said, *_offered(making.speech, some[place], first + place)]
        rows.append(
            {
                "prompt": first + place,
                "conversation": to_record(some[place].conversation),
                "prompt_ids": ids[place],
                "texts": [one.text for one in every],
                "ids": [one.ids for one in every],
                "whole": [one.whole for one in every],
                "references": len(said),
            }
        )
    return rows


def _offered(speech: Speech, prompt: Prompt, number: int) -> Iterator[Completion]:
    for turn in prompt.offered:
        try:
            ids = speech.answer(turn)
        except ChatError as error:
            raise UnfitError([f"preference.prompts: prompt {number}: {error}"]) from error
        yield Completion(ids, speech.text(ids), whole=True)


def _pairs(making: Making, row: dict[str, Any], rewards: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
    count, prompt = row["references"], row["prompt_ids"]
    quantiles = quantile_rewards(rewards.tolist(), rewards[:count].tolist())
    room = making.longest - 2 * len(prompt)
    # So that any two fit together: what is longer than half of the room is left.
    fit = np.array([whole and 2 * len(ids) <= room for whole, ids in zip(row["whole"], row["ids"], strict=True)])
    key = f"{making.seed}\0{row['prompt']}\0pairs"
    for better, worse in chosen_pairs(making.section.pairs, quantiles, rewards, fit, count, key):
        yield {
            "prompt": row["prompt"],
            "prompt_ids": prompt,
            "chosen": row["ids"][better],
            "rejected": row["ids"][worse],
            "chosen_quantile": quantiles[better],
            "rejected_quantile": quantiles[worse],
            "chosen_reward": rewards[better],
            "rejected_reward": rewards[worse],
        }
