from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.sampling import Drawn, draw_lines, epoch_order, part
from tests.stages.language.training.examples import recipe, write_data


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return read_material(write_data(tmp_path_factory.mktemp("sampling") / "data"), recipe())


def texts(drawn: Drawn) -> list[str]:
    spans = zip(drawn.offsets[:-1], drawn.offsets[1:], strict=True)
    return [drawn.data[start:stop].tobytes().decode() for start, stop in spans]


def test_an_epoch_has_the_lines_of_each_label_in_its_own_order(material: Material) -> None:
    first, second = epoch_order(material, 6, 0), epoch_order(material, 6, 1)
    assert np.bincount(first).tolist() == material.lines.tolist() == np.bincount(second).tolist()
    assert (first != second).any() and (first != np.sort(first)).any()


def test_lines_do_not_depend_on_how_many_are_drawn_at_a_time(material: Material) -> None:
    sampling, order = recipe().sampling, epoch_order(material, 6, 0)
    whole = texts(draw_lines(material, sampling, order, 6, 0, 0))
    parts = [
        line
        for first in range(0, len(order), 7)
        for line in texts(draw_lines(material, sampling, order[first : first + 7], 6, 0, first))
    ]
    assert whole == parts
    assert whole != texts(draw_lines(material, sampling, order, 6, 1, 0))
    assert whole != texts(draw_lines(material, sampling, order, 7, 0, 0))


def test_words_are_drawn_by_their_counts_and_lines_by_the_weights_of_sources(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "deu_Latn.words").write_text(
        "".join(f"list\t{word}\t{count}\n" for word, count in (("a", 60), ("b", 30), ("c", 10), ("d", 1)))
    )
    (folder / "deu_Latn.txt").write_text("text\tx\ntext\ty\ntext\tz\n")
    by = recipe()
    material = read_material(folder, by)
    lines = texts(draw_lines(material, by.sampling, np.zeros(6000, np.int64), 6, 0, 0))
    from_text = [line for line in lines if line in ("x", "y", "z")]
    assert len(from_text) / len(lines) == pytest.approx(1 / 3, abs=0.02)
    words = Counter(word for line in lines for word in line.split(" ") if word not in ("x", "y", "z"))
    total = words["a"] + words["b"] + words["c"]
    assert words["a"] / total == pytest.approx(0.6, abs=0.01)
    assert words["c"] / total == pytest.approx(0.1, abs=0.01)
    lengths = [line.count(" ") + 1 for line in lines if line not in ("x", "y", "z")]
    assert np.median(lengths) == pytest.approx(8, abs=1)
    assert min(lengths) >= 2 and max(lengths) <= 20


def test_scripts_without_spaces_mostly_have_none_between_words(material: Material) -> None:
    thai = material.labels.index("tha_Thai")
    lines = texts(draw_lines(material, recipe().sampling, np.full(500, thai), 6, 0, 0))
    assert 0.7 < sum(" " not in line for line in lines) / len(lines) < 0.95


@pytest.mark.parametrize("seed", range(40))
def test_a_part_is_of_whole_words_or_whole_characters(seed: int) -> None:
    for line, unspaced in (
        ("der größte hund läuft über die straße nach hause", False),
        ("东京都的人很多的地方在哪里呢", True),
    ):
        raw = np.frombuffer(("ü " + line + " ü").encode(), np.uint8)
        start, stop = 3, len(raw) - 3
        begin, end = part(raw, start, stop, np.uint64(seed), unspaced)
        found = raw[begin:end].tobytes().decode()
        if unspaced:
            assert found in line and 8 <= len(found) <= len(line)
        else:
            words, whole = found.split(" "), line.split(" ")
            assert len(words) >= 3
            assert any(whole[place : place + len(words)] == words for place in range(len(whole)))


def test_a_short_line_stays_whole() -> None:
    raw = np.frombuffer(b"eins zwei drei", np.uint8)
    assert part(raw, 0, len(raw), np.uint64(5), False) == (0, len(raw))
