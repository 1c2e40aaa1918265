from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lauter.stages.language.training.held_out import TEXT, WORDS
from lauter.stages.language.training.material import Material, read_material
from lauter.stages.language.training.recipe import Recipe
from tests.stages.language.training.examples import RECIPE, recipe, write_data


def items_of(material: Material, source: int) -> list[str]:
    items = material.items
    spans = range(items.first[source], items.last[source])
    return [items.data[items.starts[item] : items.starts[item + 1]].tobytes().decode() for item in spans]


def put(folder: Path, **files: str) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, "utf-8")
    return folder


def with_sampling(**sampling: object) -> Recipe:
    return Recipe.model_validate({**RECIPE, "sampling": {**RECIPE["sampling"], **sampling}})  # type: ignore[dict-item]


def test_a_folder_becomes_labels_sources_and_items(tmp_path: Path) -> None:
    material = read_material(write_data(tmp_path / "data"), recipe())
    assert material.labels == ("deu_Latn", "fra_Latn", "rus_Cyrl", "tha_Thai", "zxx_Zzzz")
    assert material.items.sources.tolist() == [0, 2, 4, 6, 8, 9]
    assert material.items.kinds.tolist() == [WORDS, TEXT] * 4 + [TEXT]
    assert material.items.shares.tolist() == [2000, 3000] * 4 + [1000]
    assert material.items.unspaced.tolist() == [False, False, False, True, False]
    assert material.running == {"text", "noise"}
    assert material.evidence[4] == {"noise": len(items_of(material, 8))}
    assert "der" in items_of(material, 0)
    assert (material.lines[:2] == 60).sum() + (material.lines[:2] < 60).sum() == 2


def test_text_is_normalised_and_what_is_empty_then_is_left_out(tmp_path: Path) -> None:
    words = "".join(
        f"list\t{word}\t{count}\n" for word, count in (("Straße,", 9), ("12", 8), ("Ⅻ!", 3), ("x", 0), ("y", 2))
    )
    folder = put(tmp_path / "data", deu_Latn__words=words)
    material = read_material(folder, recipe())
    found = items_of(material, 0) + [word for line in material.held for word in line.text.split()]
    assert set(found) == {"straße", "y"}


def test_lines_that_were_drawn_from_a_list_are_counted(tmp_path: Path) -> None:
    folder = put(tmp_path / "data", deu_Latn__txt="counted\tb a b\ncounted\tb c c\n")
    material = read_material(folder, with_sampling(sources={"counted": 1.0}))
    held = {word for line in material.held for word in line.text.split()}
    assert material.items.kinds.tolist() == [WORDS]
    kept = items_of(material, 0)
    assert [*kept, *held] and set(kept) | held == {"a", "b", "c"}
    assert kept[0] == "b"
    assert np.diff(material.items.cumulative, prepend=np.uint64(0)).tolist()[0] == 3000


def test_of_a_source_that_is_text_and_list_the_list_is_read(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "data", deu_Latn__txt="list\tein ganzer satz\n" * 3, deu_Latn__words="list\tja\t2\nlist\tnein\t1\n"
    )
    material = read_material(folder, recipe())
    assert material.items.kinds.tolist() == [WORDS]
    assert material.evidence == ({"list": 2},)
    assert not material.running


def test_sources_without_a_weight_are_left_out_and_so_are_labels_of_nothing_else(tmp_path: Path) -> None:
    folder = put(tmp_path / "data", deu_Latn__txt="other\tein satz\n" * 3, fra_Latn__txt="text\tune phrase\n" * 3)
    assert read_material(folder, recipe()).labels == ("fra_Latn",)


def test_a_short_source_stays_only_where_it_is_alone(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "data",
        deu_Latn__txt="text\tnur einer\n", deu_Latn__words="list\tja\t1\nlist\tnein\t1\nlist\tdoch\t1\n",
        fra_Latn__txt="text\tune phrase\n",
    )  # fmt: skip
    material = read_material(folder, recipe())
    assert [sorted(evidence) for evidence in material.evidence] == [["list"], ["text"]]


def test_labels_can_be_left_out(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    by = Recipe.model_validate({**RECIPE, "without": ["fra_Latn"]})
    assert "fra_Latn" not in read_material(data, by).labels


def test_more_types_give_more_lines_up_to_those_of_a_rich_label(tmp_path: Path) -> None:
    folder = put(
        tmp_path / "data",
        aaa_Latn__words="".join(f"list\ta{'b' * n}\t1\n" for n in range(5)),
        bbb_Latn__words="".join(f"list\ta{'b' * n}\t1\n" for n in range(40)),
    )
    material = read_material(folder, recipe())
    assert material.lines.tolist() == [10 + int(material.types[0]), 70]
    few = with_sampling(most_lines=1000)
    assert read_material(folder, few).lines[1] == round(60 * (material.types[1] / 20) ** 0.5)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no label"),
        ({"deu_Latn__txt": "mine\tein Satz\n"}, r"names in sampling.sources, which are .*text"),
        ({"german__txt": "text\tja\n"}, "german is no label like deu_Latn"),
        ({"deu_Latn__txt": "nothing but text\n"}, r"deu_Latn.txt: every line must be source<TAB>item"),
        ({"deu_Latn__words": "list\tja\tmany\n"}, r"deu_Latn.words: every line must be source<TAB>item<TAB>count"),
    ],
)
def test_a_folder_of_another_form_is_refused(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_material(put(tmp_path / "data", **files), recipe())
