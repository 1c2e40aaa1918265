"""`lauter lang gather`: data that `lauter lang train` reads, without what is kept for tests."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from lauter.stages.language.cli import app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["gather", *arguments])
    return result.exit_code, result.stdout + result.stderr


def collection(folder: Path) -> Path:
    (folder / "lists").mkdir(parents=True)
    (folder / "lists" / "gsw.txt").write_text("grüezi\nmitenand\nchunsch\nposchte\n", "utf-8")
    (folder / "inputs.tsv").write_text("# source\nfw2_words\tlists/gsw.txt\tgsw_Latn\tApache-2.0\n", "utf-8")
    return folder


def test_lists_become_counts_and_test_words_are_left_out(tmp_path: Path) -> None:
    folder, test, out = collection(tmp_path / "c"), tmp_path / "test.tsv", tmp_path / "out"
    test.write_text("gsw_Latn\tChunsch, poschte?\n", "utf-8")
    arguments = ("--collection", f"fw2_words={folder}", "--inputs", str(folder / "inputs.tsv"), "--noise", "5")
    code, said = run(*arguments, "--leave-out", str(test), "--out", str(out))
    assert (code, said) == (0, f"{out}: 0 files of lines, 1 of words\n")
    rows = [line.split("\t") for line in (out / "gsw_Latn.words").read_text("utf-8").splitlines()]
    assert [word for _, word, _ in rows] == ["grüezi", "mitenand"]
    code, said = run(*arguments, "--out", str(out))
    assert code == 2
    assert "is there already" in said


def test_faults_are_named(tmp_path: Path) -> None:
    folder = collection(tmp_path / "c")
    table = ("--inputs", str(folder / "inputs.tsv"), "--out", str(tmp_path / "out"))
    assert run("--collection", "unilex", *table) == (2, "error: --collection unilex: want SOURCE=DIR\n")
    assert "is no folder" in run("--collection", f"unilex={tmp_path / 'none'}", *table)[1]
    code, said = run("--collection", f"unilex={folder}", *table)
    assert code == 2
    assert "name --collection fw2_words=DIR" in said
    (folder / "lists" / "gsw.txt").unlink()
    code, said = run("--collection", f"fw2_words={folder}", *table)
    assert code == 1
    assert "gsw.txt" in said
    assert [path.name for path in tmp_path.iterdir()] == ["c"], "nothing half made is left"
