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
        ({"quantisation": None}, r"recipe.yaml: quantisation: "),
    ],
)
def test_a_wrong_recipe_is_told_where(tmp_path: Path, change: dict[str, object], message: str) -> None:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({**RECIPE, **change}))
    with pytest.raises(ValueError, match=message):
        Recipe.read(tmp_path / "recipe.yaml")


def test_what_is_no_yaml_is_told(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("seed: [")
    with pytest.raises(ValueError, match=r"recipe.yaml is no YAML"):
        Recipe.read(tmp_path / "recipe.yaml")
