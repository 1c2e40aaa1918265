"""The mixtures of Apertus that come with Lauter: they name streams of their corpus, with the published budgets."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lauter.pipeline.mixture import StreamSize, load_mixture, stream_tokens
from lauter.pipeline.streams import StreamsSection, range_name, rule_of

FOLDER = Path(__file__).parents[2] / "manifests" / "apertus"
MIXTURES = sorted(path.name for path in FOLDER.glob("*.yaml") if path.name != "corpus.yaml")


@pytest.fixture(scope="module")
def streams() -> dict[str, StreamSize]:
    """Every stream that the corpus could have, each of as many tokens."""
    corpus = yaml.safe_load((FOLDER / "corpus.yaml").read_text())
    section = StreamsSection.model_validate(corpus["streams"])
    found = {}
    for source in corpus["sources"]:
        first = rule_of(section, source["name"], "main").first
        for group in [*(section.languages or {}), "rest"]:
            for place in range(len(section.lengths) + 1):
                found[f"{first}.{group}.{range_name(section.lengths, place, 0)}"] = StreamSize(10**12)
    return found


def test_there_is_a_file_for_each_stage() -> None:
    assert {f"stage-{number}.yaml" for number in range(1, 6)} | {"cooldown.yaml"} <= set(MIXTURES)
    assert sum(name.startswith("long-context-") for name in MIXTURES) == 4


@pytest.mark.parametrize("name", MIXTURES)
def test_a_mixture_reads_streams_that_the_corpus_has(name: str, streams: dict[str, StreamSize]) -> None:
    section = load_mixture(FOLDER / name)
    assert section.corpus == "corpus.yaml"
    assert section.tokens is not None
    taken = stream_tokens(section, streams, section.tokens)
    assert sum(taken.values()) == pytest.approx(section.tokens)


@pytest.mark.parametrize(
    ("number", "billions"),
    # Table 6 of arXiv 2509.14233, without its probes.
    [
        (1, 4815 + 3557 + 235 + 32),
        (2, 4064 + 1179 + 3557 + 235 + 32),
        (3, 4064 + 1179 + 3556 + 235 + 32 + 19 + 260),
        (4, 1619 + 986 + 234 + 32 + 19 + 15),
        (5, 1619 + 986 + 182 + 68 + 32 + 19 + 15 + 33 + 21 + 1),
    ],
)
def test_stages_have_the_published_budgets(number: int, billions: int) -> None:
    components = load_mixture(FOLDER / f"stage-{number}.yaml").components
    assert sum(component.published or 0 for component in components) == pytest.approx(billions * 1e9)
    assert any(component.published_share for component in components)


def test_the_stages_are_fifteen_trillion_tokens_together() -> None:
    tokens = [load_mixture(FOLDER / f"stage-{number}.yaml").tokens or 0 for number in range(1, 6)]
    assert sum(tokens) == pytest.approx(15e12)


@pytest.mark.parametrize(
    ("phase", "share"), [(phase, share) for phase in ("8k", "16k", "32k", "64k") for share in (20, 10)]
)
def test_long_context_is_mixed_70_20_10(phase: str, share: int) -> None:
    components = {
        item.name: item.weight or 0 for item in load_mixture(FOLDER / f"long-context-{phase}.yaml").components
    }
    total = sum(components.values())
    assert components["long web" if share == 20 else "books"] / total == pytest.approx(share / 100, abs=0.001)
