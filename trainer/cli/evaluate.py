"""`lauter eval`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from lauter import __version__
from lauter.pipeline.cli.console import FAILED, USAGE, JsonOption, fail, show, table_console
from lauter.trainer.cli.needing import needs_torch

if TYPE_CHECKING:
    from lauter.trainer.evaluate.subject import Subject

app = typer.Typer(add_completion=False)

_MEMORISATION, _HARNESS = "Memorisation", "lm-evaluation-harness"


def _numbers(text: str, option: str, least: int) -> list[int]:
    """Whole numbers between commas."""
    parts = [part.strip().replace("_", "") for part in text.split(",")]
    if not all(part.isdecimal() and int(part) >= least for part in parts):
        raise typer.BadParameter(f"{option}: expected whole numbers from {least} on, such as 512,4096, not {text!r}")
    return [int(part) for part in parts]


@app.command(name="eval")
def evaluate_model(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A run folder of `lauter train`, one of its checkpoints, or a Hugging Face folder.",
        ),
    ],
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DIR", help="A corpus whose last shards tell bits per byte by language; repeatable."),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Of bits, cloze, copy, arithmetic, needle. Default: all, or none beside --memorisation or --harness.",
        ),
    ] = None,
    shards: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Last shards of each stream. Default: those that the run held out, or 1."
        ),
    ] = None,
    per_language: Annotated[
        int, typer.Option(min=1, metavar="TOKENS", help="Of each language, for bits per byte.")
    ] = 50_000,
    count: Annotated[int, typer.Option(min=1, metavar="N", help="Questions of each task and language.")] = 24,
    lengths: Annotated[
        str | None, typer.Option(metavar="N,…", help="Of needles, in tokens. Default: by the model's positions.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 28,
    dtype: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of weights and activations; bf16 takes half the memory.")
    ] = "fp32",
    memorisation: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|FILE", help="A corpus with probes, or a file of probes.", rich_help_panel=_MEMORISATION
        ),
    ] = None,
    prefix: Annotated[
        int, typer.Option(min=1, help="Tokens that the model reads.", rich_help_panel=_MEMORISATION)
    ] = 500,
    suffix: Annotated[int, typer.Option(min=1, help="Tokens that are compared.", rich_help_panel=_MEMORISATION)] = 500,
    offsets: Annotated[
        str, typer.Option(metavar="N,…", help="Tokens before the prefix.", rich_help_panel=_MEMORISATION)
    ] = "0",
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Probes to leave out, as known elsewhere: an id a line.", rich_help_panel=_MEMORISATION
        ),
    ] = None,
    references: Annotated[
        int, typer.Option(min=2, help="Texts that a canary is ranked among.", rich_help_panel=_MEMORISATION)
    ] = 1024,
    harness: Annotated[
        str | None, typer.Option(metavar="TASK,…", help="Tasks by name.", rich_help_panel=_HARNESS)
    ] = None,
    harness_tasks: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder of further tasks (YAML).", rich_help_panel=_HARNESS),
    ] = None,
    shots: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Examples before a question.", rich_help_panel=_HARNESS)
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Questions of a task at most.", rich_help_panel=_HARNESS)
    ] = None,
    *,
    chat: Annotated[
        bool | None,
        typer.Option(help="Ask copy and arithmetic as a user. Default: of a checkpoint of `lauter tune`."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model: held-out text, small tasks, what it knows by heart, tasks of lm-evaluation-harness."""
    with needs_torch():
        import torch

        from lauter.trainer.evaluate.builtin import TASKS, Wish, evaluate
        from lauter.trainer.evaluate.held_out import held_out
        from lauter.trainer.evaluate.subject import open_subject
    from lauter.pipeline.storage import StorageError
    from lauter.trainer.checkpoint.error import CheckpointError, NoCheckpoint
    from lauter.trainer.data.errors import DataError
    from lauter.trainer.huggingface.imported import ModelImportError

    names = list(TASKS) if memorisation is None and harness is None else []
    if tasks is not None:
        names = [name.strip() for name in tasks.split(",")]
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        fail(f"--tasks: no task is called {unknown[0]!r}; there are: {', '.join(TASKS)}", USAGE)
    if tasks is not None and "bits" in names and not data:
        fail("--tasks bits needs --data DIR: the corpus whose held-out documents are read", USAGE)
    if data and "bits" not in names:
        fail("--data is read for the task `bits` alone: name it under --tasks", USAGE)
    if known is not None and memorisation is None:
        fail("--known is read for --memorisation alone: name the corpus or the file of probes", USAGE)
    if harness is None and not (harness_tasks is None and shots is None and limit is None):
        fail("--harness-tasks, --shots and --limit are read for --harness alone: name its tasks", USAGE)
    wish = Wish(names, per_language, count, _numbers(lengths, "--lengths", 1) if lengths else (), seed, chat)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    result: dict[str, Any] = {}
    try:
        subject = open_subject(checkpoint, torch.bfloat16 if dtype == "bf16" else torch.float32, device)
        result = {"lauter": __version__, "model": subject.told, "dtype": dtype, "seed": seed}
        if names:
            result["tasks"] = evaluate(subject, [held_out(subject, path, shards) for path in data or ()], wish)
        if memorisation is not None:
            asked = (prefix, suffix, tuple(_numbers(offsets, "--offsets", 0)), references, seed)
            result["memorisation"] = _memorised(subject, memorisation, known, *asked)
        if harness is not None:
            result["harness"] = _harness(subject, harness, harness_tasks, shots, limit, seed)
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: pip install 'lauter[harness]'", FAILED)
    except (NoCheckpoint, ModelImportError, ValueError) as error:
        fail(str(error), USAGE)
    except (CheckpointError, DataError, StorageError, OSError) as error:
        fail(str(error), FAILED)
    if as_json:
        show(result)
        return
    from lauter.trainer.evaluate.report import tables

    console = table_console()
    console.print(escape(f"{result['model']['name']} ({result['model']['sha256'][:16]}…)"), highlight=False)
    for title, table in tables(result):
        console.print(f"\n[bold]{escape(title)}[/]", highlight=False)
        console.print(table)


def _memorised(
    subject: Subject,
    path: str,
    known: Path | None,
    prefix: int,
    suffix: int,
    offsets: tuple[int, ...],
    references: int,
    seed: int,
) -> dict[str, Any]:
    from lauter.pipeline.cli.planted import planted_at
    from lauter.trainer.memorisation.measure import Wish, memorisation

    planted, told = planted_at(path)
    left = frozenset(known.read_text("utf-8").split("\n")) if known is not None else frozenset()
    strange = sorted(left - {one.id for one in planted} - {""})
    if strange:
        raise ValueError(f"--known {known}: {strange[0]!r} is no probe of {path}")
    wish = Wish(prefix, suffix, offsets, known=left, references=references, seed=seed)
    return {"data": told, **memorisation(subject.model, subject.tokenizer, planted, wish).to_json()}


def _harness(
    subject: Subject, tasks: str, folder: Path | None, shots: int | None, limit: int | None, seed: int
) -> dict[str, Any]:
    from lauter.trainer.evaluate.harness import run_harness

    names = [name.strip() for name in tasks.split(",")]
    return run_harness(subject, names, folder=folder, shots=shots, limit=limit, seed=seed)
