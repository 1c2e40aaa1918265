"""What `lauter plan` forecasts for the demo beside what the demo then takes: core time, wall time, tokens and disk.

    make demo                                # once, for its input
    .venv/bin/python benchmarks/forecast.py

There is no peer: datatrove and Curator measure a run when it is over. First rates are measured on a sample (every n-th
page, `pipeline/cost/`), then the whole is forecast from them, then it is built into an empty folder, each in a process
of its own. The build is charged as the rates are: processor seconds of the process and its children from its start to
the end, and the time by the clock without that in which one of them waited for a core, so that others on the machine
change the figures little; the plain clock is printed too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

MANIFEST = "manifests/quickstart.yaml"
INPUT = Path(".cache/quickstart/web-00000.warc.gz")
MOST = 0.25
"""The share by which a forecast may miss."""

METERED_BUILD = """
import json, sys, time
from lauter.pipeline.cli import app
from lauter.pipeline.cost import meter
app(["build", sys.argv[1], "--out", sys.argv[2], "--json"], standalone_mode=False)
spent = meter.since_start()
print(json.dumps({"cpu_s": spent.cpu_s, "wall_s": spent.wall_s}), file=sys.stderr)
"""

CALIBRATE = """
import sys
from lauter.pipeline.cli import app
app(["plan", sys.argv[1], "--calibrate", "--json"], standalone_mode=False)
"""


def main() -> None:
    if not INPUT.exists():
        sys.exit("the demo's input is not there: run `make demo` first, in the root of the repository")
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores")
    forecast = json.loads(_run(CALIBRATE, MANIFEST)[0])
    with tempfile.TemporaryDirectory(prefix="lauter-forecast-") as folder:
        out = f"{folder}/out"
        shown, told = _run(METERED_BUILD, MANIFEST, out)
        corpus, spent = json.loads(shown), json.loads(told.splitlines()[-1])
        disk = sum(path.stat().st_size for path in Path(out).rglob("*") if path.is_file())
    rows = [
        ("core time, s", 3600 * forecast["core_hours"], spent["cpu_s"]),
        ("wall time, s", 3600 * forecast["wall_hours"], spent["wall_s"]),
        ("tokens", forecast["tokens"], corpus["summary"]["tokens"]),
        ("disk, MB", forecast["bytes"]["disk_peak"] / 1e6, disk / 1e6),
    ]
    print(f"{'':14}{'forecast':>14}{'measured':>14}{'ratio':>8}")
    for name, said, took in rows:
        print(f"{name:14}{said:>14,.1f}{took:>14,.1f}{said / took:>8.2f}")
    missed = [name for name, said, took in rows[:2] if abs(said / took - 1) > MOST]
    print(f"outside {MOST:.0%}: {', '.join(missed)}" if missed else f"core and wall time are within {MOST:.0%}")
    print(f"load {os.getloadavg()[0]:.1f} at the end")


def _run(code: str, *arguments: str) -> tuple[str, str]:
    """Standard output and standard error of a process that must end well."""
    done: Any = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout, done.stderr


if __name__ == "__main__":
    main()
