"""Products of layers in 8-bit floating point (arXiv 2209.05433), through torchao. No GPU has run this yet."""

from __future__ import annotations

import torch
from torch import Tensor

from lauter.trainer.model.apertus import Apertus
from lauter.trainer.model.linear import Linear, Product

LEAST_CAPABILITY = (8, 9)
"""Of the GPUs that have such products: Ada; Hopper is (9, 0)."""

MULTIPLE = 16
"""Both sides of a weight must be multiples of it, as torch's `_scaled_mm` asks."""


def require_float8(device: torch.device) -> None:
    """Before anything is made: whether this process can compute so.

    Raises:
        ValueError: it has no GPU that can, or torchao is missing.
    """
    capability = torch.cuda.get_device_capability(device) if device.type == "cuda" else None
    if capability is None or capability < LEAST_CAPABILITY:
        found = "a CPU" if capability is None else f"compute capability {capability[0]}.{capability[1]}"
        raise ValueError(f"parallel.float8 needs a GPU of compute capability 8.9 or more, and this is {found}")
    try:
        import torchao  # noqa: F401
    except ModuleNotFoundError as error:
        raise ValueError("parallel.float8 needs torchao: pip install 'lauter[float8]'") from error


def use_float8(model: Apertus, *, emulated: bool = False) -> None:
    """All products of the layers, forward and backward; embeddings and the output layer stay as they are.

    Tensors are cast as they come, each with one scale from its largest value: x and the weights to e4m3, gradients to
    e5m2. Parameters and gradients keep their dtypes, so checkpoints do not tell.

    Args:
        model: This rank's part; before FSDP2 wraps it.
        emulated: The same rounding, but products in the wider dtype: for tests on a CPU.
    """
    product = _product(emulated=emulated)
    for layer in model.model.layers:
        for module in layer.modules() if layer is not None else ():
            if isinstance(module, Linear) and not any(size % MULTIPLE for size in module.weight.shape):
                module.product = product


def _product(*, emulated: bool) -> Product:
    # torchao prints lines about libraries that it does not find, and takes seconds: only where it is asked for.
    from torchao.float8.config import Float8LinearConfig
    from torchao.float8.float8_linear import matmul_with_hp_or_float8_args
    from torchao.float8.float8_training_tensor import LinearMMConfig, ScaledMMConfig

    config = Float8LinearConfig(emulate=emulated)
    kinds = config.gemm_config_output, config.gemm_config_grad_input, config.gemm_config_grad_weight
    products = LinearMMConfig(*(ScaledMMConfig(emulate=emulated, use_fast_accum=kind.use_fast_accum) for kind in kinds))

    def product(x: Tensor, weight: Tensor) -> Tensor:
        found: Tensor = matmul_with_hp_or_float8_args.apply(x, weight.t(), products, config)
        return found

    return product
