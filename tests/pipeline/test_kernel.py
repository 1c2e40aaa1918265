"""The cache of kernels: a changed source is another folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lauter.pipeline import kernel
from lauter.pipeline.kernel import cache_folder, source_digest

STAGES = Path(__file__).parents[2] / "stages"
OUTSIDE = (
    "extract/markup.py",
    "language/script.py",
    "normalise.py",
    "optout/index/match.py",
    "optout/signals/scan.py",
    "pii/candidates.py",
    "toxicity/match.py",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for source in STAGES.rglob("*.py"):
        target = tmp_path / source.relative_to(STAGES)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return tmp_path


@pytest.mark.parametrize("source", [*OUTSIDE, "kernels/words.py", "kernels/characters.py"])
def test_every_source_of_kernels_counts(copy: Path, source: str) -> None:
    before = source_digest(copy)
    with (copy / source).open("a") as file:
        file.write("# changed\n")
    assert source_digest(copy) != before


def test_every_file_that_uses_the_decorator_counts(copy: Path) -> None:
    using = [path for path in copy.rglob("*.py") if "@kernel\n" in path.read_text("utf-8")]
    assert {str(path.relative_to(copy)) for path in using} >= set(OUTSIDE)
    for path in using:
        before = source_digest(copy)
        path.rename(path.with_name(f"renamed_{path.name}"))
        assert source_digest(copy) != before


def test_other_sources_and_places_do_not_count(copy: Path) -> None:
    before = source_digest(copy)
    (copy / "quality" / "rules.py").write_text("")
    assert source_digest(copy) == before == source_digest(STAGES) == cache_folder("stages").name


def test_how_kernels_are_compiled_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_digest(STAGES)
    changed = tmp_path / "kernel.py"
    changed.write_bytes(Path(kernel.__file__).read_bytes() + b"# changed\n")
    monkeypatch.setattr(kernel, "__file__", str(changed))
    assert source_digest(STAGES) != before


def test_rules_of_floats_are_never_left_to_the_caller() -> None:
    # What numba does not find here it takes from whoever calls first.
    decorators = (kernel.kernel, kernel.float_function, kernel.float_kernel)
    # Typed as the functions they were, without what numba adds.
    compiled: list[Any] = [decorator(_half) for decorator in decorators]
    assert all({"fastmath", "error_model"} <= function.targetoptions.keys() for function in compiled)
    rules = [(function.targetoptions["fastmath"], function.targetoptions["error_model"]) for function in compiled]
    assert rules[0] == (False, "python") and rules[1] == ({"contract"}, "numpy")


def _half(x: float) -> float:
    return x / 2
