from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from lauter.trainer.checkpoint.error import CheckpointError
from lauter.trainer.checkpoint.read import model_shape_of, open_checkpoint, read_weights
from lauter.trainer.huggingface.export import export_hf
from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.huggingface.importing import import_hf
from lauter.trainer.huggingface.tokenizer import same_vocabulary
from lauter.trainer.model.apertus import Apertus
from tests.trainer.generate.byte_tokenizer import files
from tests.trainer.huggingface import small
from tests.trainer.huggingface.small import SHAPE, contents


@pytest.fixture(scope="module")
def ours() -> Apertus:
    return small.model()


@pytest.fixture(scope="module")
def folders(ours: Apertus, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One export a dtype, in several files, and in one."""
    base = tmp_path_factory.mktemp("hf")
    run = small.checkpoint(base / "run", ours)
    export_hf(run, base / "bf16" / "model", dtype="bf16", shard_size=50_000)
    export_hf(run, base / "fp32" / "model", dtype="fp32")
    return {"bf16": base / "bf16" / "model", "fp32": base / "fp32" / "model"}


@pytest.fixture
def folder(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A copy to spoil, in one file."""
    return Path(shutil.copytree(folders["fp32"], tmp_path / "model"))


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_exported_imported_exported_the_bytes_are_the_same(
    folders: dict[str, Path],
    tmp_path: Path,
    dtype: Any,  # noqa: ANN401
) -> None:
    assert import_hf(folders[dtype], tmp_path / "run").notes == ()
    export_hf(open_checkpoint(tmp_path / "run"), tmp_path / "model", dtype=dtype, shard_size=50_000)
    if dtype == "fp32":
        export_hf(open_checkpoint(tmp_path / "run"), tmp_path / "one" / "model", dtype=dtype)
    before, after = contents(folders[dtype]), contents(tmp_path / ("one/model" if dtype == "fp32" else "model"))
    # Where it comes from is another thing now, and stands in these two.
    told = {"README.md", "lauter.json"}
    assert {name: data for name, data in after.items() if name not in told} == {
        name: data for name, data in before.items() if name not in told
    }


def test_weights_are_exact_and_progress_is_zero(ours: Apertus, folders: dict[str, Path], tmp_path: Path) -> None:
    imported = import_hf(folders["fp32"], tmp_path)
    found = open_checkpoint(tmp_path)
    assert model_shape_of(found) == imported.shape == SHAPE
    assert found.meta["progress"] == {"step": 0, "samples": 0, "tokens": 0}
    weights = dict(read_weights(found))
    assert weights.keys() == dict(ours.named_parameters()).keys()
    assert all(torch.equal(weights[name], parameter) for name, parameter in ours.named_parameters())


def test_a_model_that_transformers_saved_is_taken_over(tmp_path: Path) -> None:
    from transformers import ApertusConfig, ApertusForCausalLM

    config = ApertusConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
    )
    theirs = ApertusForCausalLM(config).to(torch.bfloat16)
    theirs.save_pretrained(tmp_path / "theirs", max_shard_size="10KB")
    assert len(list((tmp_path / "theirs").glob("*.safetensors"))) > 1
    imported = import_hf(tmp_path / "theirs", tmp_path / "run")
    assert len(imported.notes) == 1 and "there is no tokenizer.json" in imported.notes[0]
    weights = dict(read_weights(open_checkpoint(tmp_path / "run")))
    state = {name: value for name, value in theirs.state_dict().items() if not name.endswith((".beta", ".eps"))}
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], value.float()) for name, value in state.items())
    assert open_checkpoint(tmp_path / "run").meta["tokenizer"]["bos"] == 1


def test_the_tokenizer_comes_along_and_can_be_compared(folders: dict[str, Path], tmp_path: Path) -> None:
    import_hf(folders["bf16"], tmp_path)
    found = open_checkpoint(tmp_path)
    told = found.meta["tokenizer"]
    assert (told["digest"], told["bos"], told["eos"], told["pad"]) == (None, 1, 2, 3)
    assert told["ids"] == SHAPE.vocabulary - 96 and len(told["vocabulary"]) == 64
    assert contents(found.path / "tokenizer")["tokenizer.json"] == (folders["bf16"] / "tokenizer.json").read_bytes()
    assert same_vocabulary(found, files()["tokenizer.json"], bos=1, eos=2) == []


def test_where_it_came_from_is_kept(folders: dict[str, Path], tmp_path: Path) -> None:
    import hashlib

    import_hf(folders["bf16"], tmp_path)
    parent = open_checkpoint(tmp_path).meta["parent"]
    assert parent["form"] == "huggingface" and parent["name"] == "model"
    shards = sorted(folders["bf16"].glob("*.safetensors"))
    assert parent["files"] == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in shards}
    assert parent["claims"]["tokenizer"]["digest"] == small.TOKENIZER["digest"]
    export_hf(open_checkpoint(tmp_path), tmp_path / "again")
    assert "which nobody checked" in (tmp_path / "again" / "README.md").read_text()


def test_several_ends_are_kept(folder: Path, tmp_path: Path) -> None:
    generation = {"eos_token_id": [7, 2], "temperature": 0.8}
    (folder / "generation_config.json").write_text(json.dumps(generation))
    import_hf(folder, tmp_path / "run")
    told = open_checkpoint(tmp_path / "run").meta["tokenizer"]
    assert (told["eos"], told["stops"]) == (2, [2, 22, 26, 7])  # those of a chat stand in config.json


Spoil = Callable[[dict[str, Tensor]], object]


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda found: found.pop("model.norm.weight"), "model.norm.weight is missing"),
        (lambda found: found.update(extra=torch.ones(1)), "extra is no tensor of an Apertus model"),
        (
            lambda found: found.update({"model.layers.0.mlp.gate_proj.weight": torch.ones(2, 2)}),
            "gate_proj.weight is no tensor",
        ),
        (
            lambda found: found.update({"model.layers.1.self_attn.k_proj.weight": torch.ones(48, 48)}),
            r"k_proj.weight has shape \(48, 48\); by config.json it is \(16, 48\)",
        ),
        (
            lambda found: found.update({"model.layers.1.mlp.act_fn.beta": torch.tensor(0.4)}),
            "beta is 0.4.*; Apertus has 0.5",
        ),
        (
            lambda found: found.update({"model.layers.0.mlp.act_fn.eps": torch.tensor(1e-6)}),
            "eps is .*; Apertus has -1e-06",
        ),
        (lambda found: found["lm_head.weight"].view(-1)[7].fill_(float("nan")), "lm_head.weight holds numbers that"),
        (
            lambda found: found.update({"model.norm.weight": torch.ones(48, dtype=torch.int8)}),
            "model.norm.weight is I8; only BF16, F16, F32",
        ),
    ],
    ids=["missing", "unexpected", "gated", "shape", "beta", "eps", "nan", "dtype"],
)
def test_a_tensor_that_is_wrong_is_named(folder: Path, tmp_path: Path, spoil: Spoil, named: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    spoil(tensors)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ModelImportError, match=named):
        import_hf(folder, tmp_path / "run")
    assert not list((tmp_path / "run").rglob("meta.json"))


def test_hundreds_of_faults_are_counted(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    with pytest.raises(ModelImportError, match="more of this kind") as caught:
        import_hf(folder, tmp_path / "run")
    assert len(caught.value.problems) == 11


def test_early_checkpoints_lack_the_constants(folder: Path, tmp_path: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({k: v for k, v in tensors.items() if not k.endswith((".beta", ".eps"))}, folder / "model.safetensors")
    [note] = import_hf(folder, tmp_path / "run").notes
    assert note.startswith("4 constants of xIELU")
    export_hf(open_checkpoint(tmp_path / "run"), tmp_path / "again", dtype="fp32")
    assert load_file(tmp_path / "again" / "model.safetensors").keys() == tensors.keys()


def test_files_that_are_missing_or_broken_are_named(folders: dict[str, Path], tmp_path: Path) -> None:
    several = Path(shutil.copytree(folders["bf16"], tmp_path / "several"))
    first, second, *_ = sorted(several.glob("*.safetensors"))
    second.unlink()
    first.write_bytes(first.read_bytes()[:-10])
    with pytest.raises(ModelImportError) as caught:
        import_hf(several, tmp_path / "run")
    assert "is no whole safetensors file" in caught.value.problems[0]
    assert f"{second} is missing" in caught.value.problems[1]


def test_an_index_cannot_reach_outside_its_folder(folders: dict[str, Path], tmp_path: Path) -> None:
    several = Path(shutil.copytree(folders["bf16"], tmp_path / "several"))
    index = several / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"]["model.norm.weight"] = "../secret.safetensors"
    index.write_text(json.dumps(content))
    with pytest.raises(ModelImportError, match="a file of the same folder"):
        import_hf(several, tmp_path / "run")


def test_an_index_that_names_the_wrong_file_is_told(folders: dict[str, Path], tmp_path: Path) -> None:
    several = Path(shutil.copytree(folders["bf16"], tmp_path / "several"))
    index = several / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    files_of = sorted(set(content["weight_map"].values()))
    content["weight_map"]["model.embed_tokens.weight"] = files_of[-1]
    index.write_text(json.dumps(content))
    with pytest.raises(ModelImportError, match=r"puts model\.embed_tokens\.weight into"):
        import_hf(several, tmp_path / "run")


def test_a_folder_without_weights_says_what_to_do(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelImportError, match="save the model as safetensors first"):
        import_hf(folder, tmp_path / "run")
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelImportError, match="name a folder with weights"):
        import_hf(folder, tmp_path / "run")
    with pytest.raises(ModelImportError, match=r"config\.json is missing"):
        import_hf(tmp_path / "nowhere", tmp_path / "run")
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelImportError, match=r"config\.json is no JSON"):
        import_hf(folder, tmp_path / "run")


def test_a_tokenizer_of_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    document = json.loads((folder / "tokenizer.json").read_text())
    document["model"]["vocab"]["far"] = SHAPE.vocabulary
    (folder / "tokenizer.json").write_text(json.dumps(document))
    with pytest.raises(ModelImportError, match="has ids up to 384, but the model has 384 rows"):
        import_hf(folder, tmp_path / "run")


def test_an_id_outside_the_vocabulary_is_refused(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "eos_token_id": 5000}))
    with pytest.raises(ModelImportError, match="eos_token_id is 5000"):
        import_hf(folder, tmp_path / "run")


def test_a_run_folder_that_holds_checkpoints_is_left_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    import_hf(folders["bf16"], tmp_path)
    with pytest.raises(CheckpointError, match="is not empty"):
        import_hf(folders["fp32"], tmp_path)


def test_dropout_is_noted(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "attention_dropout": 0.1}))
    assert "trains without dropout" in import_hf(folder, tmp_path / "run").notes[0]
