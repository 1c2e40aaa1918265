"""lm-evaluation-harness gets the same numbers from our model as from its export under transformers."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance, OutputType
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.evaluate.harness import HarnessModel, _fitting, run_harness
from lauter.trainer.evaluate.subject import open_subject
from lauter.trainer.huggingface.export import export_hf
from tests.trainer.huggingface.small import checkpoint, model

TEXTS = ["The sky is blue.", "Der Himmel ist blau: größer als alles.", "Le ciel est bleu. " * 20]
CHOICES = """\
task: own_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/choices.jsonl}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_target: 0
doc_to_choice: "{{{{choices}}}}"
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_norm, aggregation: mean, higher_is_better: true}}
"""
ROLLING = """\
task: own_text
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/choices.jsonl}}}}
test_split: test
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list:
  - {{metric: bits_per_byte}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Checkpoint `run`, its export `hf`, and tasks."""
    folder = tmp_path_factory.mktemp("harness")
    made = checkpoint(folder / "run", model())
    export_hf(made, folder / "hf", dtype="fp32")
    rows = [
        {"question": f"Which one is number {number}?", "choices": [f" {number}", f" not {number}", " nothing at all"]}
        for number in range(12)
    ]
    tasks = folder / "tasks"
    tasks.mkdir()
    (tasks / "choices.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tasks / "choices.yaml").write_text(CHOICES.format(folder=tasks))
    (tasks / "text.yaml").write_text(ROLLING.format(folder=tasks))
    level = logging.getLogger("lm_eval").level
    yield folder
    logging.getLogger("lm_eval").setLevel(level)


@pytest.fixture(scope="module")
def theirs(folder: Path) -> HFLM:
    """The harness's own class, on the export."""
    return HFLM(pretrained=str(folder / "hf"), device="cpu", dtype="float32", batch_size=4)


def instances(kind: OutputType, *arguments: tuple[Any, ...]) -> list[Instance]:
    return [Instance(kind, {}, one, number) for number, one in enumerate(arguments)]


def test_numbers_are_those_of_the_harness_s_own_class_on_the_export(folder: Path, theirs: HFLM) -> None:
    ours = HarnessModel(open_subject(str(folder / "run"), torch.float32))
    theirs.add_bos_token = True
    contexts = ("The sky is", " blue."), ("", "Alone"), ("ends in spaces  ", "and more")
    pairs = instances("loglikelihood", *contexts, *((text, TEXTS[0]) for text in TEXTS))
    for one, other in zip(ours.loglikelihood(pairs), theirs.loglikelihood(pairs), strict=True):
        assert one == (pytest.approx(other[0], abs=2e-3), other[1])
    # Its class for rolling texts would predict BOS with `add_bos_token`; without, it gives BOS and predicts the text.
    theirs.add_bos_token = False
    texts = instances("loglikelihood_rolling", *((text,) for text in TEXTS))
    assert ours.loglikelihood_rolling(texts) == pytest.approx(theirs.loglikelihood_rolling(texts), abs=5e-3)
    theirs.add_bos_token = True
    wishes = instances(
        "generate_until",
        *((text, {"until": ["\n", "e"], "max_gen_toks": 12, "do_sample": False}) for text in TEXTS[:2]),
    )
    assert ours.generate_until(wishes) == theirs.generate_until(wishes)


@pytest.mark.soak
def test_a_folder_of_own_tasks_gives_its_numbers_too(folder: Path, theirs: HFLM) -> None:
    tasks = folder / "tasks"
    wish = ["eval", str(folder / "run"), "--harness", "own_choices,own_text", "--harness-tasks", str(tasks), "--json"]
    shown = CliRunner().invoke(app, wish)
    assert shown.exit_code == 0, shown.output
    # The harness itself says things on standard output, too.
    found = json.loads(shown.stdout[shown.stdout.index("{\n") :])["harness"]
    theirs.add_bos_token = True
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    due = simple_evaluate(model=theirs, tasks=["own_choices"], task_manager=manager, log_samples=False)
    assert due is not None
    for metric in ("acc,none", "acc_norm,none", "acc_stderr,none"):
        assert found["results"]["own_choices"][metric] == due["results"]["own_choices"][metric]
    assert found["results"]["own_text"]["bits_per_byte,none"] > 0
    assert found["versions"] == {"own_choices": "Yaml", "own_text": "Yaml"}


def test_a_task_that_is_not_there_is_named(folder: Path) -> None:
    subject = open_subject(str(folder / "run"), torch.float32)
    with pytest.raises(ValueError, match="is no folder of tasks"):
        run_harness(subject, ["own_choices"], folder=folder / "none")


def test_what_is_too_long_loses_its_beginning() -> None:
    one = _fitting([1, 2, 3, 4], [5, 6], 4)
    assert (one.context, one.continuation) == ([2, 3, 4], [5, 6])
    two = _fitting([1, 2], [5, 6, 7], 3)
    assert (two.context, two.continuation) == ([2], [5, 6, 7])
    with pytest.raises(ValueError, match="asks for 4 tokens at once"):
        _fitting([1, 2], [3, 4, 5, 6], 3)
