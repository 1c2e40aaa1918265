"""One glob, locally and on S3: the same files, whatever the pattern."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs

from lauter.pipeline.paths import Glob, PathError, expand_paths, first_inside, name_pattern
from lauter.pipeline.storage import FileStat, Storage
from tests.e2e.s3_server import s3_server

TREE = ("a.txt", "b.bin", "x/a.txt", "x/.hidden.txt", "x/y/a.txt", "x/y/z/c.bin", "xy/a.txt", "[2024]/d.txt", "2/e.txt")

PATTERNS = [
    ("*.txt", {"a.txt"}),
    ("*/*.txt", {"x/a.txt", "x/.hidden.txt", "xy/a.txt", "[2024]/d.txt", "2/e.txt"}),
    ("**/*.txt", {path for path in TREE if path.endswith(".txt")}),
    ("**/a.txt", {"a.txt", "x/a.txt", "x/y/a.txt", "xy/a.txt"}),
    ("x/**/a.txt", {"x/a.txt", "x/y/a.txt"}),
    ("x/**", {"x/a.txt", "x/.hidden.txt", "x/y/a.txt", "x/y/z/c.bin"}),
    ("**/y/**/*.bin", {"x/y/z/c.bin"}),
    ("x/*", {"x/a.txt", "x/.hidden.txt"}),
    ("?/a.txt", {"x/a.txt"}),
    ("x*/a.txt", {"x/a.txt", "xy/a.txt"}),
    ("x/[!a-c]*/a.txt", {"x/y/a.txt"}),
    ("[ab].*", {"a.txt", "b.bin"}),
    ("[2024]/*.txt", {"[2024]/d.txt"}),
    ("[2024]/d.txt", {"[2024]/d.txt"}),
    ("[2-3]/*.txt", {"2/e.txt"}),
    ("x**/a.txt", {"x/a.txt", "xy/a.txt"}),
    ("nothing/*.txt", set()),
    ("nothing.txt", set()),
    ("a.txt/*", set()),
]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree").resolve()
    for name in TREE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch, s3_server() as running:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{running.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        address = f"127.0.0.1:{running.port}"
        system = fs.S3FileSystem(endpoint_override=address, scheme="http", allow_bucket_creation=True)
        system.create_dir("bucket")
        storage = Storage("s3://bucket/tree")
        for path in TREE:
            storage.write(path, path.encode())
        yield "s3://bucket/tree"


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_local_globs(local: Path, pattern: str, expected: set[str]) -> None:
    found = [file.uri for file in expand_paths(pattern, local)]
    assert found == sorted(f"{local}/{path}" for path in expected)
    assert [file.uri for file in expand_paths(f"{local}/{pattern}", Path("/"))] == found, "absolute, it is the same"


@pytest.mark.parametrize(("pattern", "expected"), PATTERNS)
def test_globs_on_s3_are_the_local_globs(bucket: str, pattern: str, expected: set[str]) -> None:
    found = expand_paths(f"{bucket}/{pattern}", Path("/"))
    assert [file.uri for file in found] == sorted(f"{bucket}/{path}" for path in expected)
    assert all(file.size > 0 and file.mtime_ns > 0 for file in found)


def test_s3_folders_and_buckets(bucket: str) -> None:
    with pytest.raises(PathError, match=r"'s3://bucket/tree/x/' is a folder; add /\*"):
        expand_paths(f"{bucket}/x/", Path("/"))
    with pytest.raises(PathError, match="name the bucket"):
        expand_paths("s3://*/x.txt", Path("/"))


def test_a_folder_another_scheme_and_dots(local: Path) -> None:
    with pytest.raises(PathError, match=r"'x' is a folder; add /\*"):
        expand_paths("x", local)
    with pytest.raises(PathError, match=r"only local paths and s3://"):
        expand_paths("gs://bucket/x", local)
    assert [file.uri for file in expand_paths("../*.txt", local / "x")] == [f"{local}/a.txt"]
    with pytest.raises(PathError, match="may not follow a wildcard"):
        expand_paths("*/../a.txt", local)


def test_a_name_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.txt")).write_text("x")
    with pytest.raises(PathError, match=re.escape(r"bad\xff.txt' is no UTF-8; rename the file")):
        expand_paths("*.txt", tmp_path)
    assert expand_paths("*.bin", tmp_path) == [], "only a file that is wanted matters"


def test_links_to_files_are_followed_and_no_loop_is_walked(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("x")
    (tmp_path / "link.txt").symlink_to(tmp_path / "data/a.txt")
    (tmp_path / "nowhere.txt").symlink_to(tmp_path / "absent")
    (tmp_path / "self.txt").symlink_to(tmp_path / "self.txt")
    (tmp_path / "data/up").symlink_to(tmp_path)
    (tmp_path / "other").symlink_to(tmp_path / "data")

    def names(pattern: str) -> list[str]:
        return [file.uri.removeprefix(f"{tmp_path}/") for file in expand_paths(pattern, tmp_path)]

    assert names("**/*.txt") == ["data/a.txt", "link.txt"]
    assert names("*/a.txt") == ["data/a.txt", "other/a.txt"]
    assert names("link.txt") == ["link.txt"]
    assert names("nowhere.txt") == []


def test_only_folders_that_can_match_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("data/2024/x", "data/2025/y/deep", "elsewhere/z"):
        (tmp_path / folder).mkdir(parents=True)
    listed: list[str] = []
    scandir = os.scandir

    def noted(folder: str) -> object:
        listed.append(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", noted)
    expand_paths("data/2025/*/*.txt", tmp_path)
    assert sorted(listed) == [f"{tmp_path}/data/2025", f"{tmp_path}/data/2025/y"]


@given(
    st.sampled_from(["", "!"]),
    st.text(alphabet="ab-]^\\.\n", max_size=6),
    st.text(alphabet="ab-]!^\\.\n", min_size=1, max_size=1),
)
def test_a_set_takes_one_character_as_python_does(negation: str, members: str, character: str) -> None:
    glob = f"[{negation}{members}]"
    assert bool(name_pattern(glob).fullmatch(character)) == fnmatchcase(character, glob)


@given(st.text(alphabet="ab.*?", max_size=8), st.text(alphabet="ab.", max_size=8))
def test_a_name_matches_as_in_python(glob: str, name: str) -> None:
    assert bool(name_pattern(glob).fullmatch(name)) == fnmatchcase(name, glob)


def _matches(parts: list[str], names: list[str]) -> bool:
    """The definition, by trying everything."""
    if not parts:
        return not names
    if parts[0] == "**":
        return _matches(parts[1:], names) or (bool(names) and _matches(parts, names[1:]))
    return bool(names) and bool(name_pattern(parts[0]).fullmatch(names[0])) and _matches(parts[1:], names[1:])


NAMES = st.lists(st.sampled_from(["a", "b", "ab"]), max_size=6)


@given(st.lists(st.sampled_from(["a", "b", "*", "a*", "?", "**"]), min_size=1, max_size=5), NAMES)
def test_the_walk_finds_what_the_definition_says(parts: list[str], names: list[str]) -> None:
    glob = Glob.of(parts)
    state = glob.start()
    for name in names:
        state = glob.step(state, name)
    assert glob.is_whole(state) == _matches(parts, names)
    if not glob.goes_on(state):
        assert not _matches(parts, [*names, "a"]) and not _matches(parts, [*names, "b", "ab"])


def test_many_stars_are_matched_at_once() -> None:
    assert not name_pattern("*" * 40 + "b").fullmatch("a" * 200)


def test_files_inside_a_folder(tmp_path: Path) -> None:
    (tmp_path / "out/deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    files = [FileStat(f"{tmp_path}/{name}", 1, 1) for name in ("a", "out2/a", "link/deep/a", "out/b")]
    assert first_inside(files, f"{tmp_path}/out") == files[2]
    assert first_inside(files, f"{tmp_path}/link/") == files[2]
    assert first_inside(files, "/") == files[0]
    assert first_inside(files[:2], f"{tmp_path}/out") is None
    remote = [FileStat("s3://bucket/runs/x", 1, 1), FileStat("s3://bucket/run/x", 1, 1)]
    assert first_inside(remote, "s3://bucket/run/") == remote[1]
    assert first_inside(remote, f"{tmp_path}/out") is None
