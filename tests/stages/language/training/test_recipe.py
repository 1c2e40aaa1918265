from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lauter.stages.language.training.recipe import Recipe
from tests.stages.language.training.examples import RECIPE

SHIPPED = Path(__file__).parents[4] / "stages" / "language" / "models" / "embedded" / "recipe.yaml"


def test_the_shipped_recipe_is_one() -> None:
    recipe = Recipe.read(SHIPPED)
    assert recipe.network.dim % recipe.quantisation.part == 0
    assert "udhr" not in recipe.sampling.sources


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, r"recipe.yaml: seed: "),
        ({"network": {**RECIPE["network"], "dim": 20}}, r"recipe.yaml: network.dim: .*multiple of 16"),  # type: ignore[dict-item]
        ({"network": {**RECIPE["network"], "typo": 1}}, r"recipe.yaml: network.typo: "),  # type: ignore[dict-item]
        ({"network": {**RECIPE["network"], "members": 3}}, r"recipe.yaml: network: .*16 for each of 3 members"),  # type: ignore[dict-item]
        ({"network": {**RECIPE["network"], "minn": 5}}, r"recipe.yaml: network: .*minn 5 is above maxn 4"),  # type: ignore[dict-item]
        ({"network": {**RECIPE["network"], "buckets": 1 << 28}}, r"recipe.yaml: network.buckets: "),  # type: ignore[dict-item]
        ({"sampling": {**RECIPE["sampling"], "sources": {"list": 0.0001}}}, r"recipe.yaml: sampling.sources.list: "),  # type: ignore[dict-item]
        ({"sampling": {**RECIPE["sampling"], "words_least": 21}}, r"recipe.yaml: sampling: .*words_least 21 is above"),  # type: ignore[dict-item]
        ({"quantisation": {**RECIPE["quantisation"], "part": 3}}, r"recipe.yaml: .*part 3 does not divide"),  # type: ignore[dict-item]
        ({"quantisation": None}, r"recipe.yaml: quantisation: "),
    ],
)
def test_a_wrong_recipe_is_told_where(tmp_path: Path, change: dict[str, object], message: str) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, **change}))
    with pytest.raises(ValueError, match=message):
        Recipe.read(tmp_path / "recipe.yaml")


def test_what_is_no_yaml_is_told(tmp_path: Path) -> None:
    for content in (b"seed: [", b"\xff\xfe\xff"):
        (tmp_path / "recipe.yaml").write_bytes(content)
        with pytest.raises(ValueError, match=r"recipe.yaml is no YAML"):
            Recipe.read(tmp_path / "recipe.yaml")
