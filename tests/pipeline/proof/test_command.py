from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.pipeline.proof import verify_proof
from lauter.pipeline.proof.prove import prove
from lauter.pipeline.storage import Storage
from tests.pipeline.proof.small_ledger import publish_ledger, row
from tests.pipeline.small_run import build, ledger, write_manifest


def _audit(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["audit", *arguments])
    return result.exit_code, result.output


def test_a_proof_is_written_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = publish_ledger(tmp_path / "out", [[row(1, "https://a.org/x")]])["root"]
    code, output = _audit("out", "--prove", "https://a.org/x", "--root", root)
    assert code == 0 and "is in the ledger" in output and root in output
    assert "python -I verify_proof.py proof.json ROOT https://a.org/x\n" in output
    command = [sys.executable, "-I", "verify_proof.py", "proof.json", root, "https://a.org/x"]
    check = subprocess.run(command, capture_output=True)
    assert check.returncode == 0 and check.stdout.startswith(b"proved: 'https://a.org/x' is in the ledger")
    code, output = _audit("out", "--prove", "https://a.org/y", "--out", "y.json", "--json")
    assert code == 0 and json.loads(output) == json.loads((tmp_path / "y.json").read_text())
    code, output = _audit("out", "--prove", "https://a.org/y", "--out", "y.json")
    assert code == 0 and "is not in the ledger" in output and "other spellings" in output
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/verify_proof.py").write_text("mine")
    code, output = _audit("out", "--prove", "https://a.org/y?a&b", "--out", "sub/y.json")
    assert code == 0 and f"python -I {verify_proof.__file__} sub/y.json ROOT 'https://a.org/y?a&b'\n" in output
    assert (tmp_path / "sub/verify_proof.py").read_text() == "mine"
    code, output = _audit("out", "--prove", "a.org/x", "--out", "z.json")
    assert code == 0 and "has no http(s) origin" in output


def test_what_cannot_be_proved_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    publish_ledger(tmp_path / "out", [[row(1, "https://a.org/x")]])
    url = ("--prove", "https://a.org/x")
    for arguments, exit_code, why in (
        (("out", *url, "--root", "abc"), 2, "--root takes 64 hex digits"),
        (("out", *url, "--root", "0" * 64), 3, "000: no proof of it"),
        (("out", *url, "--out", "out/proof.json"), 2, "lies in the run folder"),
        (("out", *url, "--out", "missing/proof.json"), 1, "cannot write missing/proof.json"),
        (("out", *url, "--policy", "strict"), 2, "leave out --robots and --policy"),
        (("out", "--out", "proof.json"), 2, "--prove"),
        (("nowhere", *url), 2, "no finished corpus"),
        (("out", "--prove", "ff" * 16), 2, "no ledger row has the doc_id"),
    ):
        code, output = _audit(*arguments)
        assert code == exit_code and why in output.replace("\n", " "), (arguments, output)
    (tmp_path / "out/proof/ranges.json").write_text("[]")
    code, output = _audit("out", *url)
    assert code == 3 and "does not belong to corpus.json" in output
    assert not (tmp_path / "proof.json").exists()


def test_a_built_corpus_proves_the_same_with_and_without_its_state(tmp_path: Path) -> None:
    lines = "\n".join(f"n{i}\tsome text number {i}" for i in range(30))
    out = tmp_path / "out"
    root = build(write_manifest(tmp_path, {"a.txt": lines, "b.txt": "n1\ttwice\nbroken"}), out).corpus["root"]
    wanted = [str(bytes(item["doc_id"]).hex()) for item in ledger(out)] + ["https://nobody.example/"]  # type: ignore[call-overload]
    storage = Storage(str(out))
    proofs = [prove(storage, item) for item in wanted]
    for proof in proofs:
        verify_proof.verify(proof, root)
    state = next(iter((out / "state/leaves").rglob("*.arrow")))
    state.write_bytes(state.read_bytes()[:-1])
    assert [prove(storage, item) for item in wanted[::10]] == proofs[::10]
    shutil.rmtree(out / "state")
    assert [prove(storage, item) for item in wanted] == proofs
