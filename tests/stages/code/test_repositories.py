"""Who opted out is out, in any case and however the list writes the name."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lauter.pipeline.contract import StageContext
from lauter.stages.code import Repositories, RepositoriesConfig
from lauter.stages.code.repositories import read_list

LIST = """\
# owners
Ada
https://github.com/Grace/Compiler.git   # a repository
linus/kernel/

gitlab.com/kay
"""


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "optout.txt"
    path.write_text(LIST, encoding="utf-8-sig")
    return str(path)


def test_owners_and_repositories(listed: str) -> None:
    assert read_list(listed) == {"ada", "grace/compiler", "linus/kernel", "kay"}
    stage = Repositories(RepositoriesConfig(optout=listed), StageContext())
    stage.open()
    names = ["ada/engine", "ADA/notes", "grace/compiler", "Grace/Own", "linus/kernel", "kay/x", "x/ada", None, "", "/"]
    names += ["https://github.com/Ada/Engine", "github.com/grace/compiler.git"]
    verdict = stage.apply(pa.RecordBatch.from_pydict({"repository": pa.array(names, pa.string())}))
    reasons = [None, *(reason.name for reason in Repositories.reasons)]
    assert [reasons[code] for code in verdict.reason] == [
        "owner-opted-out", "owner-opted-out", "repository-opted-out", None, "repository-opted-out", "owner-opted-out",
        None, "no-repository", "no-repository", "no-repository", "owner-opted-out", "repository-opted-out",
    ]  # fmt: skip
    assert verdict.rule is not None
    assert [rule and rule["text"] for rule in verdict.rule.to_pylist()][:4] == ["ada", "ada", "grace/compiler", None]


@pytest.mark.parametrize("line", ["a/b/c", "two words", "https://example.org/a/b"])
def test_a_line_that_is_no_name_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    (tmp_path / "list").write_text(f"ada\n{line}\n")
    with pytest.raises(ValueError, match=r"list:2: .* is no owner"):
        Repositories.check_config(RepositoriesConfig(optout=str(tmp_path / "list")))
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="no UTF-8"):
        read_list(str(tmp_path / "bytes"))
