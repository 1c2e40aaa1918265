from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from lauter.chat.encode import encode
from lauter.chat.formats.messages import of_messages
from lauter.chat.pieces import pieces
from lauter.trainer.batch import Bounds
from lauter.trainer.checkpoint.read import Checkpoint, CheckpointError, open_checkpoint
from lauter.trainer.generate.tokenizer import text_tokenizer
from lauter.trainer.huggingface.export import ExportError, export_hf
from lauter.trainer.huggingface.tokenizer import FILES, huggingface_tokenizer
from lauter.trainer.model.apertus import Apertus
from tests.trainer.generate.byte_tokenizer import files
from tests.trainer.huggingface import small
from tests.trainer.huggingface.small import SHAPE, contents

TEXT = "Es war einmal"


@pytest.fixture(scope="module")
def ours() -> Apertus:
    return small.model()


@pytest.fixture(scope="module")
def checkpoint(ours: Apertus, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    return small.checkpoint(tmp_path_factory.mktemp("run"), ours)


@pytest.fixture(scope="module")
def exported(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hf") / "small-fp32"
    export_hf(checkpoint, folder, dtype="fp32", shard_size=100_000)
    return folder


@pytest.fixture(scope="module")
def loaded(exported: Path) -> tuple[Any, dict[str, Any]]:
    from transformers import AutoModelForCausalLM

    found: tuple[Any, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(exported, output_loading_info=True)
    return found


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_no_key_is_missing_and_none_unexpected(checkpoint: Checkpoint, tmp_path: Path, dtype: Any) -> None:  # noqa: ANN401
    from transformers import ApertusForCausalLM

    export_hf(checkpoint, tmp_path / "hf", dtype=dtype)
    model, info = ApertusForCausalLM.from_pretrained(tmp_path / "hf", output_loading_info=True)
    assert not any(info.values()), info
    assert model.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[dtype]


def test_logits_are_ours(ours: Apertus, loaded: tuple[Any, dict[str, Any]]) -> None:
    tokens = torch.randint(SHAPE.vocabulary, (120,), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        theirs = loaded[0](tokens[None]).logits[0]
        mine = ours(tokens, torch.arange(120), Bounds.of([120]))
    assert theirs.abs().max() > 1
    assert (theirs - mine).abs().max() <= 1e-5


def test_transformers_continues_the_text_as_we_do(
    ours: Apertus, loaded: tuple[Any, dict[str, Any]], exported: Path
) -> None:
    from transformers import AutoTokenizer

    given = AutoTokenizer.from_pretrained(exported)(TEXT, return_tensors="pt")
    # Random weights would say EOS at any moment, and only transformers would stop there.
    theirs = loaded[0].generate(**given, max_new_tokens=24, do_sample=False, eos_token_id=None)[0].tolist()
    mine = given.input_ids[0].tolist()
    assert mine[0] == 1
    with torch.no_grad():
        for _ in range(24):
            places = torch.arange(len(mine))
            mine.append(int(ours(torch.tensor(mine), places, Bounds.of([len(mine)]))[-1].argmax()))
    assert theirs == mine
    assert len(set(mine[-24:])) > 5


def test_bf16_is_the_master_rounded_to_nearest(checkpoint: Checkpoint, ours: Apertus, tmp_path: Path) -> None:
    written = export_hf(checkpoint, tmp_path / "hf", dtype="bf16")
    found = load_file(tmp_path / "hf" / "model.safetensors")
    assert written.files == 1 and written.tensors == len(found)
    for name, parameter in ours.named_parameters():
        assert torch.equal(found[name], parameter.detach().to(torch.bfloat16)), name
    assert found["model.layers.1.mlp.act_fn.beta"] == 0.5
    assert found["model.layers.1.mlp.act_fn.eps"] == torch.tensor(-1e-6, dtype=torch.bfloat16)


def test_the_index_names_every_tensor_and_files_are_small_enough(exported: Path) -> None:
    index = json.loads((exported / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in exported.glob("*.safetensors"))
    assert len(files) > 2 and sorted(set(index["weight_map"].values())) == files
    found = {name: file.name for file in exported.glob("*.safetensors") for name in load_file(file)}
    assert index["weight_map"] == found
    assert all((exported / file).stat().st_size < 110_000 for file in files)


def test_generation_stops_at_all_ends(ours: Apertus, tmp_path: Path) -> None:
    from transformers import GenerationConfig

    told = {"tokenizer": {**small.TOKENIZER, "stops": [2, 7]}}
    export_hf(small.checkpoint(tmp_path / "run", ours, told), tmp_path / "hf")
    config = GenerationConfig.from_pretrained(tmp_path / "hf")
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, [2, 7], 3)


def test_a_tokenizer_that_can_chat_brings_its_template_and_its_ends(exported: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = text_tokenizer({name: (exported / name).read_bytes() for name in FILES}, bos=1, ends=frozenset({2}))
    ends = [2, tokenizer.chat["<|assistant_end|>"], tokenizer.chat["<|tools_suffix|>"]]
    assert GenerationConfig.from_pretrained(exported).eos_token_id == ends
    assert tokenizer.ends == set(ends)
    messages = [{"role": "user", "content": "Grüezi </s>"}]
    ours = encode(pieces(of_messages(messages), open_answer=True), tokenizer.plain, tokenizer.chat, bos=tokenizer.bos)
    theirs = AutoTokenizer.from_pretrained(exported).apply_chat_template(
        messages, add_generation_prompt=True, current_date=False, return_dict=False
    )
    # The template breaks what spells a control token; we need not.
    assert tokenizer.decode(theirs[1:]).replace("\u2060", "") == tokenizer.decode(ours.ids[1:])
    assert theirs.count(2) == ours.ids.count(2) == 0


def test_a_folder_with_anything_in_it_is_left_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, said in (("full", "not empty"), ("file", "is a file")):
        with pytest.raises(ExportError, match=said):
            export_hf(checkpoint, tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "full", "mine.txt"]
    (tmp_path / "empty").mkdir()
    export_hf(checkpoint, tmp_path / "empty")
    assert (tmp_path / "empty" / "model.safetensors").exists()


def test_a_checkpoint_that_lacks_a_tensor_leaves_nothing(ours: Apertus, tmp_path: Path) -> None:
    from lauter.trainer.checkpoint.read import write_weights_only

    for name, weights in (
        ("few", list(ours.named_parameters())[1:]),
        ("many", [*ours.named_parameters(), ("model.layers.9.mlp.up_proj.weight", torch.ones(1))]),
        ("odd", [(name, value[:-1] if "norm" in name else value) for name, value in ours.named_parameters()]),
    ):
        run = write_weights_only(tmp_path / name, SHAPE, weights, {"tokenizer": small.TOKENIZER}, {})
        with pytest.raises(ExportError, match=r"never came|has no place|has shape"):
            export_hf(run, tmp_path / "hf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few", "many", "odd"]


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    free = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    with pytest.raises(ExportError, match="has 10,000 bytes free and the model takes"):
        export_hf(checkpoint, tmp_path / "hf")
    assert not list(tmp_path.iterdir())


_KILLED = """
import sys, time
from pathlib import Path
from lauter.trainer.checkpoint.read import open_checkpoint
from lauter.trainer.huggingface import export
write = export.ShardWriter.write
def slow(writer, name, tensor):
    write(writer, name, tensor)
    print(name, flush=True)
    time.sleep(60)
export.ShardWriter.write = slow
export.export_hf(open_checkpoint(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_export_leaves_no_half_model_and_the_next_one_works(checkpoint: Checkpoint, tmp_path: Path) -> None:
    out = tmp_path / "hf"
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, str(checkpoint.path), str(out)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert process.stdout is not None
    assert process.stdout.readline()  # a tensor is on the disk
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".hf.partial"]
    export_hf(checkpoint, out)
    assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_equal_checkpoints_give_equal_bytes(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for parent in ("a", "b"):
        export_hf(open_checkpoint(checkpoint.path), tmp_path / parent / "hf")
    assert contents(tmp_path / "a" / "hf") == contents(tmp_path / "b" / "hf")


def test_without_a_tokenizer_the_folder_has_none(ours: Apertus, tmp_path: Path) -> None:
    told = {"tokenizer": {"digest": None, "bos": None, "eos": None, "pad": None, "ids": None}}
    export_hf(small.checkpoint(tmp_path / "run", ours, told, {}), tmp_path / "hf")
    assert sorted(contents(tmp_path / "hf")) == [
        "README.md",
        "config.json",
        "generation_config.json",
        "lauter.json",
        "model.safetensors",
    ]


def test_only_verified_tokenizer_files_of_known_names_are_passed_on(ours: Apertus, tmp_path: Path) -> None:
    own = huggingface_tokenizer(files(), 256)
    run = small.checkpoint(tmp_path / "run", ours, None, {**own, "model.safetensors": b"listed", "config.json": b"{}"})
    (run.path / "tokenizer" / "model.safetensors.index.json").write_bytes(b"stray")
    export_hf(run, tmp_path / "hf")
    assert not (tmp_path / "hf" / "model.safetensors.index.json").exists()
    assert load_file(tmp_path / "hf" / "model.safetensors")
    assert json.loads((tmp_path / "hf" / "config.json").read_bytes())["model_type"] == "apertus"
    assert {name: (tmp_path / "hf" / name).read_bytes() for name in own} == own
    with pytest.raises(CheckpointError, match=r"model\.safetensors\.index\.json is not listed"):
        open_checkpoint(run.path)
