"""`lauter extract train`: the learned rule of the backend `cascade`, made again from pages with a known text."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import xxhash

from lauter.pipeline.cli.console import USAGE, JsonOption, fail, refuse_existing, show

if TYPE_CHECKING:
    from lauter.stages.extract.blocks.training.labels import Example


def train(
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Folder with warc/SET.warc.gz, ground_truth.jsonl.gz and index.jsonl."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the rule goes, an .npz; must not exist yet.")],
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="Train on these sets; those of the shipped rule if not given.")
    ] = None,
    *,
    cross_validate: Annotated[
        bool,
        typer.Option("--cross-validate", help="Also tell how right five rules are on domains that each never saw."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train on every domain but those of the fold that is held out: a minute, one core, the same bytes each time."""
    from lauter.stages.extract.blocks.rule import save
    from lauter.stages.extract.blocks.training.labels import example
    from lauter.stages.extract.blocks.training.learning import learn
    from lauter.stages.extract.blocks.training.truth import HELD_OUT, LICENCES, read_pages

    refuse_existing(out, "a rule", "file")
    try:
        examples = [example(page) for page in read_pages(data, sets or [*LICENCES])]
    except OSError as error:
        fail(f"{error.filename or data}: {error.strerror or error}", USAGE)
    learned = [each for each in examples if each.page.fold != HELD_OUT]
    if not any(each.wanted.any() for each in learned):
        fail(f"{data}: no page with a known text outside the fold that is held out", USAGE)
    save(learn(learned), out)
    told: dict[str, object] = {
        "out": str(out),
        "xxh3_128": xxhash.xxh3_128_hexdigest(out.read_bytes()),
        "pages": len(learned),
        "blocks": sum(len(each.wanted) for each in learned),
    }
    if cross_validate:
        told["f1_of_blocks"] = _cross_validated(examples)
    if as_json:
        show(told)
        return
    for name, value in told.items():
        typer.echo(f"{name}: {value}")


def _cross_validated(examples: list[Example]) -> dict[str, float]:
    """Mean F1 of each set, by words in blocks: what the rule keeps against what the labels say."""
    from lauter.stages.extract.blocks.rule import Rule, judge
    from lauter.stages.extract.blocks.training.learning import cross_validate
    from lauter.stages.extract.blocks.training.truth import FOLDS
    from lauter.stages.extract.cascade import KEEP_ABOVE

    scores: dict[str, list[float]] = defaultdict(list)

    def seen(each: Example, rule: Rule) -> None:
        keep = judge(rule, each.blocks, keep_above=KEEP_ABOVE).keep
        both = float(each.weight[keep & each.wanted].sum())
        scores[each.page.dataset].append(
            2 * both / max(float(each.weight[keep].sum() + each.weight[each.wanted].sum()), 1e-9)
        )

    cross_validate(examples, FOLDS, seen)
    return {name: round(sum(found) / len(found), 4) for name, found in sorted(scores.items())}
