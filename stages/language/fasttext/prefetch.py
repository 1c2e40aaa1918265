"""Asking the processor to fetch memory before it is needed.

The rows of a word's n-grams lie anywhere in a matrix that no cache holds. Waiting for each in turn is what takes the
time (44 ns of 60 for a row of 17 bytes, measured), and all are known before the first is added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LINE = 64
"""Bytes that memory is fetched in."""

_llvm: Any = cgutils


def _prefetch(_: Any, array: Any, row: Any, byte: Any) -> Any:  # noqa: ANN401 - numba's own types
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ANN401
        kind = signature.args[0]
        made = context.make_array(kind)(context, builder, values[0])
        stride = _llvm.unpack_tuple(builder, made.strides, kind.ndim)[0]
        number = context.cast(builder, values[1], signature.args[1], types.intp)
        offset = context.cast(builder, values[2], signature.args[2], types.intp)
        base = builder.bitcast(made.data, _llvm.voidptr_t)
        pointer = builder.gep(base, [builder.add(builder.mul(number, stride), offset)])
        word = ir.IntType(32)
        called = _llvm.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer.type, word, word, word]), "llvm.prefetch.p0"
        )
        builder.call(called, [pointer, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, row, byte), generate


prefetch = cast(Callable[[Any, Any, int], None], intrinsic(_prefetch))
"""`prefetch(array, row, byte)`, in kernels only: fetch the 64 bytes around `byte` of row `row` of `array` (its first
axis) into the cache. No result, no error.

The row must be one of the array's: nothing is checked. LLVM Language Reference, `llvm.prefetch`: to be read, to be
kept, data.
"""
