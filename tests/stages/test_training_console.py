"""What commands that train share."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from lauter.stages.training_console import EMBEDDED, read_recipe, staged_folder


def _read(path: Path) -> str:
    if not (text := path.read_text("utf-8")):
        raise ValueError("no recipe")
    return text


def test_the_recipe_of_a_file_or_of_the_embedded_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yaml").write_text("mine")
    assert read_recipe(tmp_path / "mine.yaml", "", _read) == (b"mine", "mine")
    embedded = (Path(__file__).parents[2] / "stages" / "language" / EMBEDDED).read_bytes()
    assert read_recipe(None, "lauter.stages.language", _read) == (embedded, embedded.decode())
    (tmp_path / "empty.yaml").touch()
    for path, message in ((tmp_path / "empty.yaml", "no recipe"), (tmp_path / "none.yaml", "none.yaml can't be read")):
        with pytest.raises(typer.Exit) as left:
            read_recipe(path, "", _read)
        assert left.value.exit_code == 2 and message in capsys.readouterr().err


def test_a_model_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "models" / "mine"
    with pytest.raises(ValueError, match="half"), staged_folder(out) as made:
        (made / "model").touch()
        raise ValueError("half")
    assert [*out.parent.iterdir()] == []
    with staged_folder(out) as made:
        (made / "model").touch()
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["model"] and [*out.parent.iterdir()] == [out]
