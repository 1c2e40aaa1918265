"""A result of `lauter eval` as tables in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from lauter.trainer.evaluate.builtin import BITS, CLOZE, NEEDLE
from lauter.trainer.evaluate.questions import WRITTEN


def tables(result: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    """Title and table of each part of a result, in a fixed order."""
    tasks = result.get("tasks", {})
    for one in tasks.get(BITS, ()):
        data = one["data"]
        yield f"bits per byte: {data['corpus']}, {data['shards']} shard(s) a stream, {data['seen']}", _bits(one)
    if any(name in tasks for name in (CLOZE, *WRITTEN)):
        yield "right answers (cloze: of a few choices; the others exact)", _answers(tasks)
    if tasks.get(NEEDLE):
        yield "needles found, by the depth at which they lie", _needles(tasks[NEEDLE])
    if "memorisation" in result:
        yield from _memorisation(result["memorisation"])
    if "harness" in result:
        yield "lm-evaluation-harness", _harness(result["harness"])


def _table(*headers: str, names: int = 1) -> Table:
    table = Table(box=None)
    for number, header in enumerate(headers):
        table.add_column(header, justify="left" if number < names else "right")
    return table


def _bits(one: Mapping[str, Any]) -> Table:
    table = _table("language", "bits/byte", "nats/token", "perplexity", "documents", "tokens", "bytes")
    for language, found in one["languages"].items():
        table.add_row(
            language,
            f"{found['bits_per_byte']:.4f}",
            f"{found['loss']:.4f}",
            f"{found['perplexity']:,.2f}",
            *(f"{found[name]:,}" for name in ("documents", "tokens", "bytes")),
        )
    return table


def _answers(tasks: Mapping[str, Any]) -> Table:
    columns = [name for name in (CLOZE, *WRITTEN) if name in tasks]
    table = _table("language", *columns)
    for language in sorted({language for name in columns for language in tasks[name]}):
        cells = []
        for name in columns:
            found = tasks[name].get(language)
            if found is None:
                cells.append("")
            elif name == CLOZE:
                cells.append(f"{found['accuracy']:.0%} (chance {found['chance']:.0%})")
            else:
                cells.append(f"{found['exact']:.0%}")
        table.add_row(language, *cells)
    return table


def _needles(found: Mapping[str, Any]) -> Table:
    depths = list(next(iter(found.values()))["depths"])
    table = _table("tokens", *(f"{float(depth):.0%}" for depth in depths), "all", "answers' tokens")
    for length, one in found.items():
        shares = [*(one["depths"][depth] for depth in depths), one["exact"], one["tokens"]]
        table.add_row(f"{int(length):,}", *(f"{share:.0%}" for share in shares))
    return table


def _memorisation(found: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    lengths = f"{found['suffix']} tokens after a prefix of {found['prefix']}"
    for decoding, buckets in found["recall"].items():
        headers = ("passages", "Rouge-L", "LCCS", "TTR", "exact", "recited", "nats/token")
        table = _table("repetitions", *headers)
        for repetitions, one in buckets.items():
            ratios = (f"{one[name]:.3f}" for name in ("rouge_l", "lccs", "ttr"))
            ends = (f"{one['exact']:.0%}", str(one["recited"]), f"{one['loss']:.3f}")
            table.add_row(repetitions, str(one["passages"]), *ratios, *ends)
        yield f"planted passages, {decoding}: {lengths}", table
    if found["exposure"]:
        table = _table("repetitions", "canaries", "exposure", "of at most", "extrapolated", "of at most", "first")
        for repetitions, one in found["exposure"].items():
            beyond = "" if one["extrapolated"] is None else f"{one['extrapolated']:.1f}"
            bits = (f"{one['exposure']:.1f}", f"{one['most']:.1f}", beyond, f"{one['space']:.1f}")
            table.add_row(repetitions, str(one["canaries"]), *bits, str(one["first"]))
        yield "canaries: exposure in bits", table
    left = {name: count for name, count in found["left_out"].items() if count}
    if left:
        table = _table("why", "passages")
        for name, count in left.items():
            table.add_row(name, f"{count:,}")
        yield "left out", table


def _harness(found: Mapping[str, Any]) -> Table:
    table = _table("task", "metric", "value", "standard error", names=2)
    for task, metrics in found["results"].items():
        for metric, value in metrics.items():
            name, _, kind = metric.partition(",")
            if isinstance(value, int | float) and not name.endswith("_stderr"):
                error = metrics.get(f"{name}_stderr,{kind}")
                table.add_row(task, name, f"{value:.4f}", f"{error:.4f}" if isinstance(error, float) else "")
    return table
