from __future__ import annotations

import os
from pathlib import Path

import fasttext
import numpy as np
import pytest

from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load
from lauter.stages.language.load import load as load_identifier
from lauter.stages.language.training.support_table import held_sets, write_table
from lauter.stages.language.training.train import Trained, train_model
from tests.stages.language.training.examples import WORDS, recipe, write_data

DATA = Path(os.environ.get("LAUTER_TEST_DATA") or Path(__file__).parents[4] / ".." / "shared" / "data")
TEXTS = ["und nicht das haus", "déjà la maison", "ещё привет дом", "ภาษาไทยน้ำ", "xq zk", "wort", "où ça"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Trained]:
    folder = tmp_path_factory.mktemp("training")
    data = write_data(folder / "data")
    told: list[str] = []
    result = train_model(data, folder / "model.ftz", recipe(), told.append)
    assert told[0].startswith("5 labels, ")
    assert told[-2] == f"model.ftz: {(folder / 'model.ftz').stat().st_size} bytes"
    assert told[-1].startswith(f"model.words: {(folder / 'model.words').stat().st_size} bytes, ")
    return data, folder / "model.ftz", result


def test_the_same_data_and_recipe_give_the_same_bytes(trained: tuple[Path, Path, Trained], tmp_path: Path) -> None:
    data, model, result = trained
    again = train_model(data, tmp_path / "again.ftz", recipe(), lambda _: None)
    assert (tmp_path / "again.ftz").read_bytes() == model.read_bytes()
    assert (tmp_path / "again.words").read_bytes() == model.with_suffix(".words").read_bytes()
    assert again.losses == result.losses
    train_model(data, tmp_path / "other.ftz", recipe(rate=0.9), lambda _: None)
    assert (tmp_path / "other.ftz").read_bytes() != model.read_bytes()


def test_the_loss_falls(trained: tuple[Path, Path, Trained]) -> None:
    losses = trained[2].losses
    assert len(losses) == 6  # two members, three epochs
    assert losses[2] < losses[0] / 2 and losses[5] < losses[3] / 2
    assert losses[:3] != losses[3:]


def test_the_library_reads_the_model_and_answers_as_our_kernel(trained: tuple[Path, Path, Trained]) -> None:
    model = fasttext.load_model(str(trained[1]))
    assert sorted(model.get_labels()) == sorted(f"__label__{label}" for label in [*WORDS, "zxx_Zzzz"])
    texts = [text.encode() for text in TEXTS]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    ours = Predictor(load(str(trained[1]))).top(np.frombuffer(b"".join(texts), np.uint8), offsets, 5)
    labels = load(str(trained[1])).labels
    for row, text in enumerate(TEXTS):
        theirs = {label: probability for probability, label in model.f.predict(text + "\n", 5, 0.0, "strict")}
        mine = {labels[place]: value for place, value in zip(ours.labels[row], ours.probabilities[row], strict=True)}
        assert mine.keys() == theirs.keys()
        for label, probability in theirs.items():
            assert mine[label] == pytest.approx(probability, abs=1e-4)


def test_the_model_knows_its_languages(trained: tuple[Path, Path, Trained]) -> None:
    model = fasttext.load_model(str(trained[1]))
    for label, words in WORDS.items():
        glue = "" if label.endswith("Thai") else " "
        assert model.f.predict(glue.join(words.split()[:8]) + "\n", 1, 0.0, "strict")[0][1] == f"__label__{label}"


def test_every_label_of_the_table_is_scored(trained: tuple[Path, Path, Trained], tmp_path: Path) -> None:
    _, model, result = trained
    identifier = load_identifier(str(model), normalised=True, lists=model.with_suffix(".words"))
    tests = [each.scored(identifier) for each in held_sets(result.material)]
    write_table(tmp_path / "labels.tsv", result.material, tests)
    lines = [line.split("\t") for line in (tmp_path / "labels.tsv").read_text("utf-8").splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [row["label"] for row in rows] == sorted([*WORDS, "zxx_Zzzz"])
    assert all(row["level"] in ("well", "weak", "words") for row in rows)
    assert {row["scored"] for row in rows} <= {"running-text", "word-types"}
    assert all(0.5 <= float(row["threshold"]) <= 0.95 for row in rows)
    assert all(row["n_lines"] or row["n_words"] for row in rows)


@pytest.mark.slow
def test_no_line_of_the_declaration_is_trained_on() -> None:
    """The public training set beside the public test set, in the sources that the shipped recipe takes."""
    import tarfile

    import pyarrow as pa

    from lauter.stages.language.training.recipe import Recipe

    folder = DATA / "language"
    if not (folder / "train-open.tar.zst").exists():
        pytest.skip("language/train-open.tar.zst is not under LAUTER_TEST_DATA")
    shipped = Recipe.read(Path(__file__).parents[4] / "stages" / "language" / "models" / "embedded" / "recipe.yaml")
    with pa.input_stream(folder / "test-udhr.tsv.zst", compression="zstd") as stream:
        tested = {line.split(b"\t", 2)[2] for line in stream.read().splitlines()}
    assert len(tested) > 25_000
    read = 0
    with (
        pa.input_stream(folder / "train-open.tar.zst", compression="zstd") as stream,
        tarfile.open(fileobj=stream, mode="r|") as archive,
    ):
        for member in archive:
            file = archive.extractfile(member)
            if file is None:
                continue
            for line in file.read().splitlines():
                source, _, text = line.partition(b"\t")
                if source.decode() in shipped.sampling.sources:
                    read += 1
                    assert text not in tested, (member.name, text.decode())
    assert read > 1_000_000
