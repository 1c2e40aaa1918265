"""lm-evaluation-harness (Gao et al., EleutherAI) asks a model of ours: an adapter, and a run of its tasks.

The adapter answers in the harness's own terms, so its thousands of tasks work as they are. Every context begins with
BOS, as every document of a corpus does: that is `add_bos_token=True` of its class for transformers, which Apertus's own
evaluations set too. One thing differs from that class: for `loglikelihood_rolling` BOS is given and never predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.tasks import TaskManager
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from lauter.trainer.evaluate.likelihood import Request, likelihoods
from lauter.trainer.evaluate.subject import Subject
from lauter.trainer.generate.decode import Continuation
from lauter.trainer.generate.generate import generate

SEQUENCES = 32
"""Contexts that are continued at a time."""
NEW_TOKENS = 256
"""Of a task that does not say how many; the harness's own default."""
BOOTSTRAPS = 1000
"""For standard errors that no formula gives, as of perplexities; the harness's own 100,000 take seconds a metric."""


class HarnessModel(TemplateLM):  # type: ignore[misc]  # of a library without types
    """A subject as the harness calls a model. Contexts that are too long lose their beginning, as in its own."""

    def __init__(self, subject: Subject, seed: int = 28) -> None:
        """`seed`: of what is drawn, where a task asks for sampling."""
        super().__init__()
        self._model, self._tokenizer, self._seed = subject.model, subject.tokenizer, seed
        self.max_length = subject.model.shape.positions

    @property
    def eot_token_id(self) -> int:
        """The id that ends a text.

        Raises:
            ValueError: the tokenizer names none.
        """
        if not self._tokenizer.ends:
            raise ValueError("the tokenizer names no id that ends a text: the harness needs one")
        return min(self._tokenizer.ends)

    @property
    def prefix_token_id(self) -> int:
        """What stands before the first id of a text: BOS, and EOS where there is none."""
        return self.eot_token_id if self._tokenizer.bos is None else self._tokenizer.bos

    def tok_encode(self, string: str, add_special_tokens: bool | None = None) -> list[int]:  # noqa: FBT001 - its own
        """Ids of a text, BOS in front unless `add_special_tokens` is False.

        Raises:
            TokenizerError: a part of the text would become a control token.
        """
        ids = self._tokenizer.encode(string)
        return ids[1:] if add_special_tokens is False and self._tokenizer.bos is not None else ids

    def _loglikelihood_tokens(
        self,
        requests: Sequence[tuple[object, list[int], list[int]]],
        disable_tqdm: bool = False,  # noqa: FBT001, FBT002 - its own
    ) -> list[tuple[float, bool]]:
        asked = [_fitting(context, continuation, self.max_length) for _, context, continuation in requests]
        return [(one.log, one.greedy) for one in likelihoods(self._model, asked)]

    def loglikelihood_rolling(
        self,
        requests: list[Instance],
        disable_tqdm: bool = False,  # noqa: FBT001, FBT002 - its own
    ) -> list[float]:
        """Log-likelihood of whole texts, each id predicted once, in windows of all positions."""
        windows: list[Request] = []
        texts: list[int] = []
        for number, instance in enumerate(requests):
            ids = self.tok_encode(instance.args[0], add_special_tokens=False)
            for pair in get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, 1):
                windows.append(Request(*make_disjoint_window(pair)))
                texts.append(number)
        sums = [0.0] * len(requests)
        for number, one in zip(texts, likelihoods(self._model, windows), strict=True):
            sums[number] += one.log
        return sums

    def generate_until(
        self,
        requests: list[Instance],
        disable_tqdm: bool = False,  # noqa: FBT001, FBT002 - its own
    ) -> list[str]:
        """Continuations, each up to one of its stops, EOS, or as many tokens as were asked for."""
        groups: dict[tuple[Any, ...], list[int]] = {}
        for number, instance in enumerate(requests):
            groups.setdefault(_wish(instance.args[1]), []).append(number)
        found = [""] * len(requests)
        for wish, numbers in groups.items():
            for first in range(0, len(numbers), SEQUENCES):
                some = numbers[first : first + SEQUENCES]
                texts = self._continued([requests[number].args[0] for number in some], *wish)
                for number, text in zip(some, texts, strict=True):
                    found[number] = text
        return found

    def _continued(
        self, contexts: Sequence[str], new_tokens: int, temperature: float, top_p: float, stops: tuple[str, ...]
    ) -> list[str]:
        room = self.max_length - new_tokens
        if room < 1:
            raise ValueError(f"a task asks for {new_tokens} new tokens, and the model has {self.max_length} positions")
        said = [Continuation(self._tokenizer, stops) for _ in contexts]
        ended: set[int] = set()
        for sequence, token in generate(
            self._model,
            [self.tok_encode(context)[-room:] for context in contexts],
            new_tokens=new_tokens,
            temperature=temperature,
            top_p=top_p,
            seed=self._seed,
            eos=self._tokenizer.ends,
            ended=ended,
        ):
            said[sequence].push(token)
            if said[sequence].stopped:
                ended.add(sequence)
        for one in said:
            one.finish()
        return [one.text for one in said]


def run_harness(
    subject: Subject,
    tasks: Sequence[str],
    *,
    folder: Path | None = None,
    shots: int | None = None,
    limit: int | None = None,
    seed: int = 28,
) -> dict[str, Any]:
    """Run tasks of the harness; its version, what it says of the tasks, and results as it names them.

    Args:
        subject: the model.
        tasks: names of tasks or groups.
        folder: further tasks, as YAML; where it has all that are asked for, the harness's own are not looked at.
        shots: examples before each question; None: as each task has it.
        limit: the first so many questions of each task.
        seed: of what is drawn.

    Raises:
        ValueError: a task is not known, or can't be asked of this model.
    """
    manager = None
    if folder is not None:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder of tasks")
        manager = TaskManager(include_path=str(folder), include_defaults=False)
    if manager is None or any(name not in manager.all_tasks for name in tasks):
        manager = TaskManager(include_path=None if folder is None else str(folder))
    unknown = [name for name in tasks if name not in manager.all_tasks]
    if unknown:
        raise ValueError(f"lm-evaluation-harness has no task {unknown[0]!r}; `lm_eval ls tasks` lists them")
    found = simple_evaluate(
        model=HarnessModel(subject, seed),
        tasks=list(tasks),
        num_fewshot=shots,
        limit=limit,
        task_manager=manager,
        log_samples=False,
        bootstrap_iters=BOOTSTRAPS,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
    )
    assert found is not None, "only other ranks of several get nothing"
    return {
        "lm_eval": version("lm_eval"),
        "limit": limit,
        "versions": found["versions"],
        "shots": found["n-shot"],
        "results": {
            name: {metric: value for metric, value in metrics.items() if metric not in ("alias", "name")}
            for name, metrics in found["results"].items()
        },
    }


def _fitting(context: list[int], continuation: list[int], most: int) -> Request:
    """The last `most` + 1 ids of both, one of them given at least."""
    if len(continuation) > most:
        raise ValueError(f"a task asks for {len(continuation)} tokens at once, and the model has {most} positions")
    return Request(context[-(most + 1 - len(continuation)) :], continuation)


def _wish(given: dict[str, Any]) -> tuple[int, float, float, tuple[str, ...]]:
    """New tokens, temperature, top-p and stops of a task's arguments."""
    known = normalize_gen_kwargs(given, NEW_TOKENS)
    until = known.get("until") or []
    stops = tuple([until] if isinstance(until, str) else until)
    return int(known["max_gen_toks"]), float(known.get("temperature") or 0.0), float(known.get("top_p", 1.0)), stops
