"""`lauter chat` and `lauter serve-model`."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from typer.testing import CliRunner

from lauter.pipeline.cli import app
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.huggingface.export import export_hf
from lauter.trainer.model.shape import ModelShape
from tests.trainer.generate.byte_tokenizer import files
from tests.trainer.huggingface import small

LONG = ModelShape(1, 16, 32, 2, 1, 8, 384, 1024, init_std=0.3)
TALK = ["--new-tokens", "8", "--date", "2026-11-26", "--temperature", "1"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("talker") / "run"
    small.checkpoint(folder, small.model(LONG))
    return folder


def test_a_pipe_is_answered_the_same_from_a_checkpoint_and_from_its_export(run: Path, tmp_path: Path) -> None:
    export_hf(open_checkpoint(run), tmp_path / "hf", dtype="fp32")
    results = [
        CliRunner().invoke(app, ["chat", str(folder), *TALK], input="Grüezi\n/system Kurz.\n你好\n/quit\n")
        for folder in (run, tmp_path / "hf")
    ]
    assert [result.exit_code for result in results] == [0, 0]
    first, *rest = results[0].stdout.split("\n")
    assert first
    assert "a new conversation" in rest
    assert results[0].stdout == results[1].stdout


def test_a_line_that_is_no_text_is_told_and_the_next_one_answered(run: Path) -> None:
    result = CliRunner().invoke(app, ["chat", str(run), *TALK], input=b"\xff\n/system\n")
    assert result.exit_code == 0
    assert "no valid UTF-8 at character 0" in result.stdout
    assert "a new conversation" in result.stdout


@pytest.mark.parametrize("command", ["chat", "serve-model"])
def test_what_cannot_talk_is_refused(command: str, run: Path, tmp_path: Path) -> None:
    silent = {name: content.replace(b"<|", b"<!") for name, content in files().items()}
    small.checkpoint(tmp_path / "silent", small.model(LONG), tokenizer=silent)
    for arguments, message in (
        ([str(tmp_path / "silent")], "no control tokens of a chat"),
        ([str(tmp_path / "nothing")], "does not exist"),
        ([str(run), "--filter", str(tmp_path / "nothing")], "--filter"),
    ):
        result = CliRunner().invoke(app, [command, *arguments])
        assert result.exit_code == 2
        assert message in result.stderr


def test_a_host_that_others_reach_needs_a_word(run: Path) -> None:
    result = CliRunner().invoke(app, ["serve-model", str(run), "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "--open-to-network" in result.stderr
    result = CliRunner().invoke(app, ["serve-model", str(run), "--context", "2000"])
    assert (result.exit_code, "the model has 1024 positions" in result.stderr) == (2, True)


@pytest.mark.soak
def test_a_server_of_its_own_answers_and_ends_with_the_signal(run: Path) -> None:
    start = "from lauter.pipeline.cli import main; main()"
    command = [sys.executable, "-c", start, "serve-model", str(run), "--port", "0", "--name", "small"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"small: (http://127\.0\.0\.1:\d+/v1)\n", line)
        assert found is not None
        with openai.OpenAI(base_url=found[1], api_key="none") as client:
            told = client.chat.completions.create(
                model="small", messages=[{"role": "user", "content": "Grüezi"}], max_tokens=8
            )
            assert told.usage is not None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 130, -signal.SIGINT)
