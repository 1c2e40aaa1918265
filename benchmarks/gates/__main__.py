"""Run the gates, compare with their baselines, and end with 1 where a number has fallen.

    python -m benchmarks.gates [NAME...] [--update]

`--update` writes what was measured as the new baseline. A change that lowers a number has to commit that file, where a
reviewer sees it.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from benchmarks.gates.public_data import MissingTestData

HERE = Path(__file__).resolve().parent
TOLERANCE = 0.0005
"""A number may lie this far below its baseline, which is rounded to 4 places: libraries differ by as much between two
versions of Python."""


class Gate(Protocol):
    """A module of this package that measures something."""

    NAME: str

    def measure(self) -> Mapping[str, float]:
        """What is as good as the baseline or better, by name; prints a table of its own with the peers."""


def names() -> list[str]:
    """The gates of this folder: every module with a baseline, or that says its name."""
    found = (path for path in sorted(HERE.glob("*.py")) if not path.stem.startswith("_"))
    return [path.stem for path in found if "\nNAME = " in path.read_text(encoding="utf-8")]


def fallen(baseline: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """A line for every number of the baseline that is now lower by more than the tolerance, or is gone."""
    lines = []
    for name, least in baseline.items():
        now = measured.get(name)
        # Written so that a NaN has fallen.
        if now is None or not now >= least - TOLERANCE:
            lines.append(f"{name}: {'not measured' if now is None else f'{now:.4f}'}, baseline {least:.4f}")
    return lines


def changes(baseline: Mapping[str, float], measured: Mapping[str, float]) -> list[str]:
    """A line for every number that rose by more than the tolerance or that the baseline does not know."""
    return [
        f"{name}: {now:.4f}, {'new' if name not in baseline else f'baseline {baseline[name]:.4f}'}"
        for name, now in measured.items()
        if name not in baseline or now > baseline[name] + TOLERANCE
    ]


def run(name: str, gate: Gate, *, update: bool) -> bool:
    """Measure one gate and say what changed; whether it holds."""
    print(f"== gate {name}", flush=True)
    measured = {key: round(float(value), 4) for key, value in gate.measure().items()}
    path = HERE / f"{name}.json"
    if update:
        path.write_text(json.dumps(measured, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        print(f"{path.name}: {len(measured)} numbers written")
        return True
    if not path.is_file():
        print(f"{path.name} is missing: make it with --update and commit it")
        return False
    baseline: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    lost = fallen(baseline, measured)
    for line in lost:
        print(f"FELL  {line}")
    for line in changes(baseline, measured):
        print(f"rose  {line}")
    print(f"gate {name} {'fell' if lost else 'holds'}: {len(baseline)} numbers", flush=True)
    return not lost


def main(arguments: Sequence[str]) -> int:
    """0 where every gate holds, 1 where one fell, 2 where the test data are missing or a name is unknown."""
    known = names()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gates", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="*", help=f"of {', '.join(known)}; all if none is named")
    parser.add_argument("--update", action="store_true", help="write what was measured as the new baseline")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.name if name not in known]:
        print(f"no gate {', '.join(unknown)}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    held = True
    for name in given.name or known:
        try:
            held &= run(name, importlib.import_module(f"benchmarks.gates.{name}"), update=given.update)
        except MissingTestData as missing:
            print(f"gate {name}: {missing}", file=sys.stderr)
            return 2
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
