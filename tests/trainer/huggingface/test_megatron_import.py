from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lauter.trainer.checkpoint.read import open_checkpoint, read_weights
from lauter.trainer.huggingface.export import export_hf
from lauter.trainer.huggingface.imported import ModelImportError
from lauter.trainer.huggingface.megatron_import import import_megatron
from lauter.trainer.model.apertus import Apertus
from tests.trainer.huggingface import small
from tests.trainer.huggingface.megatron_writer import save_distributed, save_torch
from tests.trainer.huggingface.script_archive import save_script
from tests.trainer.huggingface.small import SHAPE

SAVE: dict[str, Callable[..., None]] = {"torch": save_torch, "torch_dist": save_distributed}


@pytest.fixture(scope="module")
def ours() -> Apertus:
    return small.model()


@pytest.mark.parametrize("fused_norms", [True, False], ids=["transformer-engine", "local"])
@pytest.mark.parametrize("form", sorted(SAVE))
def test_every_weight_is_at_its_place(ours: Apertus, tmp_path: Path, form: str, *, fused_norms: bool) -> None:
    SAVE[form](ours, tmp_path / "megatron", fused_norms=fused_norms)
    imported = import_megatron(tmp_path / "megatron", tmp_path / "run")
    assert imported.shape == SHAPE
    found = open_checkpoint(tmp_path / "run")
    weights = dict(read_weights(found))
    assert weights.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        assert torch.equal(weights[name], parameter.to(torch.bfloat16).float()), name
    assert found.meta["parent"] == {"form": "megatron", "name": "iter_0000050", "iteration": 50}


def test_the_iteration_folder_can_be_named_and_a_tokenizer_given(ours: Apertus, tmp_path: Path) -> None:
    export_hf(small.checkpoint(tmp_path / "ours", ours), tmp_path / "hf")
    save_distributed(ours, tmp_path / "megatron", fused_norms=True)
    import_megatron(tmp_path / "megatron" / "iter_0000050", tmp_path / "run", tokenizer=tmp_path / "hf")
    told = open_checkpoint(tmp_path / "run").meta["tokenizer"]
    assert (told["bos"], told["eos"], told["pad"], told["digest"]) == (1, 2, 3, None)
    # What went by Megatron is the same model to the byte.
    export_hf(open_checkpoint(tmp_path / "run"), tmp_path / "again")
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "hf" / name).read_bytes()


def test_without_a_tokenizer_it_says_so(ours: Apertus, tmp_path: Path) -> None:
    save_torch(ours, tmp_path / "megatron", fused_norms=True)
    [note] = import_megatron(tmp_path / "megatron", tmp_path / "run").notes
    assert "there is no tokenizer.json" in note
    with pytest.raises(ModelImportError, match=r"has no tokenizer\.json"):
        import_megatron(tmp_path / "megatron", tmp_path / "two", tokenizer=tmp_path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"swiglu": True}, "--swiglu is True"),
        ({"xielu": False}, "--xielu is False"),
        ({"qk_layernorm": None}, "--qk-layernorm is None"),
        ({"normalization": "LayerNorm"}, "--normalization is 'LayerNorm'"),
        ({"untie_embeddings_and_output_weights": False}, "--untie-embeddings"),
        ({"rotary_percent": 0.5}, "--rotary-percent is 0.5"),
        ({"apply_layernorm_1p": True}, "--apply-layernorm-1p"),
        ({"num_layers": None}, "--num-layers is None"),
        ({"num_query_groups": 4}, "kv_heads"),
        ({"num_layers": 3}, r"decoder\.layers\.2\.input_layernorm\.weight is missing"),
        ({"num_layers": 1}, r"decoder\.layers\.1\..* is no tensor of an Apertus model"),
        ({"hidden_size": 64}, r"has shape \(384, 48\); by the arguments it is \(384, 64\)"),
    ],
    ids=str,
)
def test_what_apertus_cannot_have_is_named(
    ours: Apertus, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    save_torch(ours, tmp_path / "megatron", fused_norms=True, **changes)
    with pytest.raises(ModelImportError, match=named):
        import_megatron(tmp_path / "megatron", tmp_path / "run")


def test_parts_of_several_ranks_are_refused(ours: Apertus, tmp_path: Path) -> None:
    save_torch(ours, tmp_path, fused_norms=True)
    shutil.copytree(tmp_path / "iter_0000050" / "mp_rank_00", tmp_path / "iter_0000050" / "mp_rank_01")
    with pytest.raises(ModelImportError, match="lies in 2 ranks' parts: save it as torch_dist"):
        import_megatron(tmp_path, tmp_path / "run")


def test_folders_that_are_no_checkpoint_say_what_is_missing(ours: Apertus, tmp_path: Path) -> None:
    with pytest.raises(ModelImportError, match="is no folder"):
        import_megatron(tmp_path / "nowhere", tmp_path / "run")
    with pytest.raises(ModelImportError, match="is no Megatron checkpoint"):
        import_megatron(tmp_path, tmp_path / "run")
    save_distributed(ours, tmp_path / "megatron", fused_norms=True)
    iteration = tmp_path / "megatron" / "iter_0000050"
    (iteration / ".metadata").write_bytes((iteration / ".metadata").read_bytes()[:50])
    with pytest.raises(ModelImportError, match=r"\.metadata is broken"):
        import_megatron(tmp_path / "megatron", tmp_path / "run")
    (iteration / "common.pt").unlink()
    with pytest.raises(ModelImportError, match=r"common\.pt is missing"):
        import_megatron(tmp_path / "megatron", tmp_path / "run")


def test_a_damaged_piece_is_told(ours: Apertus, tmp_path: Path) -> None:
    save_distributed(ours, tmp_path / "megatron", fused_norms=True)
    for file in (tmp_path / "megatron" / "iter_0000050").glob("*.distcp"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 10])
    with pytest.raises(ModelImportError, match="can't be read"):
        import_megatron(tmp_path / "megatron", tmp_path / "run")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", ["common.pt", "model_optim_rng.pt", "*.distcp"])
def test_code_in_a_file_does_not_run(ours: Apertus, tmp_path: Path, form: str) -> None:
    save = save_torch if form == "model_optim_rng.pt" else save_distributed
    save(ours, tmp_path / "megatron", fused_norms=True)
    for path in (tmp_path / "megatron").rglob(form):
        save_script(path, tmp_path / "made")
    with pytest.raises(ModelImportError, match=r"TorchScript|can't be read"):
        import_megatron(tmp_path / "megatron", tmp_path / "run")
    assert not (tmp_path / "made").exists() and not (tmp_path / "run" / "checkpoints" / "LATEST").exists()
