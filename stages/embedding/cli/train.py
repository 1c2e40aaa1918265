"""`lauter embedding train`: heads from texts of two classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from lauter.pipeline.cli.console import FAILED, JsonOption, fail, refuse_existing, show
from lauter.stages.embedding.cli.options import (
    MOST,
    BatchOption,
    ConfigOption,
    DeviceOption,
    EncoderFiles,
    NegativesArgument,
    PositivesArgument,
    PrecisionOption,
    ThreadsOption,
    TokenizerOption,
    WeightsOption,
    load_encoder,
    load_texts,
    print_heads,
)
from lauter.stages.training_console import LanguageOption, MostOption


def train(
    positives: PositivesArgument,
    negatives: NegativesArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the heads go; must not exist yet.")],
    weights: WeightsOption,
    tokenizer: TokenizerOption,
    encoder_config: ConfigOption = None,
    head: Annotated[
        Literal["quality", "toxicity"],
        typer.Option(help="Its shape: quality judges first chunks (FineWeb2-HQ), toxicity the worst one (Apertus)."),
    ] = "quality",
    language: LanguageOption = None,
    most: MostOption = MOST,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the texts; the best one stays.")] = 6,
    seed: Annotated[int, typer.Option(help="Seed of weights, dropout and order.")] = 42,
    licence: Annotated[str, typer.Option(help="Licence and source of the texts, for the card.")] = "not stated",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float32",
    batch_tokens: BatchOption = 512,
    threads: ThreadsOption = 1,
    *,
    together: Annotated[
        bool, typer.Option("--together", help="One head for all languages; else one for each of them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Train heads: eight tenths of the texts train, one calibrates, one measures, by the texts' hashes.

    DIR gets HEAD-LABEL.safetensors for each language, or HEAD.safetensors: name them under `heads:` of the stage
    `embedding`. The same texts and seed give the same bytes on one machine.
    """
    refuse_existing(out, "a head", "folder")
    texts = load_texts(positives, negatives, language, most)
    encoder = load_encoder(EncoderFiles(weights, tokenizer, encoder_config, device, precision, batch_tokens, threads))
    from lauter.stages.embedding.head import Head, save
    from lauter.stages.embedding.measured import train_head
    from lauter.stages.embedding.training import RECIPES

    recipe = replace(RECIPES[head], epochs=epochs, seed=seed)
    console = Console(stderr=True, emoji=False)
    labels = ["all"] if together else sorted(set(texts.languages))
    made: dict[str, Head] = {}
    for label in labels:
        own = texts if together else texts.of_language(label)
        console.print(Text(f"{head} {label}: {len(own.positive):,} texts"), soft_wrap=True)
        card = {"kind": head, "licence of the texts": licence}
        try:
            made[f"{head}.safetensors" if together else f"{head}-{label}.safetensors"] = train_head(
                own, encoder, recipe, card, lambda words: console.print(Text(words), soft_wrap=True)
            )
        except ValueError as error:
            fail(f"{label}: {error}", FAILED)
    out.mkdir(parents=True)
    for name, trained in made.items():
        save(trained, out / name)
    if as_json:
        show({str(out / name): trained.facts() for name, trained in made.items()})
        return
    print_heads(made)
