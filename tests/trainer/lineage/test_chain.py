"""From a model back to its corpora: what is there is compared, what is gone is still named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.checkpoint.error import NoCheckpoint
from lauter.trainer.checkpoint.inventory import digest_of
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.huggingface.origin import ORIGIN, origin
from lauter.trainer.lineage.artefact import Artefact
from lauter.trainer.lineage.chain import lineage
from lauter.trainer.loop.run import train
from tests.trainer.loop.language import quiet, section, write_language


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a run on it, and a branch that begins from the run."""
    folder = tmp_path_factory.mktemp("made")
    corpus = write_language(folder / "corpus")
    train(section(corpus, 2), folder / "first", start=None, console=quiet())
    train(section(corpus, 3), folder / "second", start=folder / "first", console=quiet())
    return folder


def names(found: Artefact) -> list[tuple[int, str, str, str]]:
    return [(depth, one.kind, one.name, one.state) for depth, one in found.walk()]


def test_a_branch_leads_to_its_parent_and_both_to_the_corpus(made: Path) -> None:
    found = lineage(made / "second")
    (corpus,) = {one.name for _, one in found.walk() if one.kind == "corpus"}
    assert names(found) == [
        (0, "checkpoint", "second/step-0000000003", "holds"),
        (1, "corpus", corpus, "holds"),
        (1, "checkpoint", "first/step-0000000002", "holds"),
        (2, "corpus", corpus, "holds"),
    ]
    before = next(parent for parent in found.parents if parent.kind == "checkpoint")
    assert before.digest == digest_of(made / "first" / "checkpoints" / "step-0000000002")
    root = json.loads((made / "corpus" / "corpus.json").read_bytes())["root"]
    assert {one.digest for _, one in found.walk() if one.kind == "corpus"} == {root}
    assert json.loads(json.dumps(found.to_json()))["parents"][1]["digest"] == before.digest


def test_what_is_gone_is_named_and_what_was_changed_is_told(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "made")
    other = tmp_path / "made" / "second"
    # The parent's path is absolute: move the first run away and put something else there.
    first = made / "first" / "checkpoints" / "step-0000000002" / "files.json"
    content = first.read_bytes()
    try:
        first.write_bytes(content + b" ")
        assert names(lineage(other))[2] == (1, "checkpoint", "first/step-0000000002", "differs")
        result = CliRunner().invoke(app, ["lineage", str(other)])
        assert result.exit_code == 1
        assert "first/step-0000000002" in result.stdout
        first.unlink()
        found = lineage(other)
    finally:
        first.write_bytes(content)
    assert names(found)[2] == (1, "checkpoint", "first/step-0000000002", "not here")
    assert found.parents[1].digest == digest_of(first.parent)
    assert [one.kind for _, one in found.walk()] == ["checkpoint", "corpus", "checkpoint", "corpus"]


def test_a_broken_index_is_another_corpus(made: Path) -> None:
    index = made / "corpus" / "corpus.json"
    content = index.read_bytes()
    try:
        for broken in (b"{", b"[]", b'{"roots": []}'):
            index.write_bytes(broken)
            assert [state for _, kind, _, state in names(lineage(made / "first")) if kind == "corpus"] == ["differs"]
    finally:
        index.write_bytes(content)


def test_what_is_called_alike_beside_an_export_is_none_of_its_parents(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ORIGIN).write_text(json.dumps(origin(open_checkpoint(made / "second"))))
    # Published paths are "first" and "corpus": as seen from here, both are there.
    shutil.copytree(made, tmp_path / "other")
    (tmp_path / "other" / "corpus" / "corpus.json").write_text("{}")
    (tmp_path / "other" / "first" / "checkpoints" / "step-0000000002" / "files.json").write_text("{}")
    monkeypatch.chdir(tmp_path / "other")
    assert {state for depth, _, _, state in names(lineage(tmp_path)) if depth} == {"not here"}


def test_an_export_names_its_checkpoint(made: Path, tmp_path: Path) -> None:
    said = origin(open_checkpoint(made / "second"))
    (tmp_path / ORIGIN).write_text(json.dumps(said))
    found = lineage(tmp_path)
    (checkpoint,) = found.parents
    assert (found.kind, checkpoint.name) == ("export", "second/step-0000000003")
    assert checkpoint.digest == digest_of(made / "second" / "checkpoints" / "step-0000000003")
    assert [one.kind for _, one in found.walk()] == ["export", "checkpoint", "corpus", "checkpoint", "corpus"]
    del said["checkpoint"]
    (tmp_path / ORIGIN).write_text(json.dumps(said))
    with pytest.raises(ValueError, match="export it anew"):
        lineage(tmp_path)


def test_a_folder_without_a_model_is_a_slip(tmp_path: Path) -> None:
    with pytest.raises(NoCheckpoint, match="is no run and no checkpoint"):
        lineage(tmp_path)
    assert CliRunner().invoke(app, ["lineage", str(tmp_path)]).exit_code == 2
