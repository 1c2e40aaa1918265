"""Mixtures: what a component asks for, what it may give, and who takes over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lauter.pipeline.mixture import MixtureSection, StreamSize, load_mixture, shares, stream_tokens
from lauter.pipeline.yaml_lines import ManifestError

STREAMS = {"web": StreamSize(800), "wiki": StreamSize(100), "code": StreamSize(100)}


def section(*components: dict[str, Any]) -> MixtureSection:
    return MixtureSection.model_validate({"mixture": "m", "components": list(components)})


def test_components_weigh_by_their_tokens() -> None:
    found = stream_tokens(section({"name": "all", "streams": ["*"]}), STREAMS, 100)
    assert found == pytest.approx({"code": 10, "web": 80, "wiki": 10})


def test_a_repeated_component_counts_more() -> None:
    mixture = section({"name": "web", "streams": ["web"]}, {"name": "rest", "streams": ["*"], "repeat": 4, "epochs": 4})
    assert stream_tokens(mixture, STREAMS, None) == pytest.approx({"code": 400, "web": 800, "wiki": 400})
    assert stream_tokens(mixture, STREAMS, 160) == pytest.approx({"code": 40, "web": 80, "wiki": 40})


def test_a_small_source_is_not_read_more_often_than_was_said() -> None:
    mixture = section(
        {"name": "wiki", "streams": ["wiki"], "weight": 1, "epochs": 2},
        {"name": "web", "streams": ["web"], "weight": 1},
    )
    assert stream_tokens(mixture, STREAMS, 300) == pytest.approx({"web": 150, "wiki": 150})
    assert stream_tokens(mixture, STREAMS, 1000) == pytest.approx({"web": 800, "wiki": 200})


def test_a_cap_bounds_a_component_as_a_whole() -> None:
    mixture = section({"name": "small", "streams": ["wiki", "code"], "cap": 60}, {"name": "web", "streams": ["web"]})
    assert stream_tokens(mixture, STREAMS, 900) == pytest.approx({"code": 30, "web": 840, "wiki": 30})


def test_rehydration_weighs_streams_by_their_copies() -> None:
    streams = {"once": StreamSize(100), "often": StreamSize(100, copies=5), "template": StreamSize(100, copies=1000)}
    mixture = section({"name": "web", "streams": ["*"], "rehydrate": "fineweb2"})
    assert stream_tokens(mixture, streams, 70) == pytest.approx({"often": 50, "once": 10, "template": 10})


def test_epochs_bound_a_document_of_weight_one_and_a_rehydrated_one_by_its_factor() -> None:
    streams = {"once": StreamSize(100), "often": StreamSize(100, copies=5), "rest": StreamSize(10_000)}
    mixture = section(
        {"name": "web", "streams": ["once", "often"], "rehydrate": "fineweb2", "epochs": 2, "weight": 1},
        {"name": "rest", "streams": ["rest"], "weight": 1},
    )
    assert stream_tokens(mixture, streams, 5000) == pytest.approx({"once": 2 * 100, "often": 2 * 5 * 100, "rest": 3800})


def test_a_stream_belongs_to_the_first_component_that_names_it() -> None:
    mixture = section({"name": "one", "streams": ["w*"], "weight": 1}, {"name": "two", "streams": ["*"], "weight": 9})
    assert stream_tokens(mixture, STREAMS, 90) == pytest.approx({"code": 81, "web": 8, "wiki": 1})


@pytest.mark.parametrize(
    ("components", "tokens", "said"),
    [
        ([{"name": "a", "streams": ["wbe"]}], 1, "did you mean 'web'"),
        ([{"name": "a", "streams": ["wiki"], "epochs": 1}], 101, "may give 100"),
    ],
)
def test_what_cannot_be_is_said(components: list[dict[str, Any]], tokens: float, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        stream_tokens(section(*components), STREAMS, tokens)


def test_a_wrong_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "stage.yaml"
    path.write_text("mixture: m\ncomponents:\n  - name: a\n    streams: [web]\n    wieght: 3\n")
    with pytest.raises(ManifestError, match=r"stage.yaml:5: components.0.wieght: unknown key; did you mean 'weight'"):
        load_mixture(path)


def test_weights_are_given_to_all_or_none() -> None:
    with pytest.raises(ValueError, match="'b' has no `weight`"):
        section({"name": "a", "streams": ["x"], "weight": 1}, {"name": "b", "streams": ["y"]})


@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.1, 1000)), min_size=1, max_size=8), st.floats(0.01, 1))
def test_shares_fill_the_total_and_are_one_level_of_water(pairs: list[tuple[float, float]], part: float) -> None:
    wanted, most = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    total = part * sum(most)
    found = shares(wanted, most, total)
    assert sum(found) == pytest.approx(total)
    assert all(x <= limit * (1 + 1e-9) for x, limit in zip(found, most, strict=True))
    levels = [x / w for x, w, limit in zip(found, wanted, most, strict=True) if x < limit * (1 - 1e-9)]
    assert max(levels, default=1) == pytest.approx(min(levels, default=1))
    full = [x / w for x, w, limit in zip(found, wanted, most, strict=True) if x >= limit * (1 - 1e-9)]
    assert all(level <= min(levels, default=level) * (1 + 1e-6) for level in full)
