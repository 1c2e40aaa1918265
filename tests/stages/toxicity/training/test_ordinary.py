"""The ordinary sets from two small checkouts."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lauter.stages.toxicity.cli import app
from lauter.stages.toxicity.training.ordinary import _FOLDERS, _TRANSLATIONS


def test_articles_and_whole_paragraphs_of_verses(tmp_path: Path) -> None:
    for folder in _FOLDERS.values():
        (tmp_path / "guide" / "_articles" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "guide" / "_articles" / folder / "legal.md").write_text(f"Text of {folder}")
    (tmp_path / "bible" / "corpus").mkdir(parents=True)
    for name in _TRANSLATIONS.values():
        (tmp_path / "bible" / "corpus" / f"{name}.txt").write_text("a\nb\n<range>\n\nc\nd\ne\nf\ng\nh\ni\n\n")
    arguments = ["ordinary", *(str(tmp_path / name) for name in ("guide", "bible", "data"))]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "data/opensource-guide/zh/legal.md").read_text() == "Text of zh-hans"
    assert (tmp_path / "data/opensource-guide/en/legal.md").read_text() == "Text of ."
    assert (tmp_path / "data/ebible-public-domain/en/eng-engwebp.txt").read_text() == "a b c d\n\ne f g h\n\n"
    assert CliRunner().invoke(app, arguments).exit_code == 2


def test_a_checkout_that_is_none_is_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["ordinary", str(tmp_path), str(tmp_path), str(tmp_path / "data")])
    assert done.exit_code == 1
    assert "_articles" in done.output
