"""`lauter audit DIR --prove URL`: a proof for one page instead of an audit of all."""

from __future__ import annotations

import shlex
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, VIOLATION, fail
from lauter.pipeline.storage import Storage, StorageError

DEFAULT = Path("proof.json")
SCRIPT = "verify_proof.py"


def write_proof(folder: str, wanted: str, root: str | None, out: Path | None, *, as_json: bool) -> None:
    """Write the proof about a URL or doc_id to `out`, or print it as JSON; say in words what it proves.

    `root`: 64 lower-case hex digits that the folder must have. Leaves with a usage error where there is nothing to
    prove, and with a violation where the folder contradicts itself or has not the given root.
    """
    from lauter.pipeline.proof import verify_proof
    from lauter.pipeline.proof.prove import Contradiction, proof_text, prove

    storage = Storage(folder)
    target = out if out is not None or as_json else DEFAULT
    if target is not None and storage.is_local and target.resolve().is_relative_to(Path(storage.root).resolve()):
        fail(f"{target} lies in the run folder, where an audit takes it for a stranger; name another with --out", USAGE)
    try:
        proof = prove(storage, wanted)
    except Contradiction as error:
        fail(str(error), VIOLATION)
    except StorageError as error:
        fail(str(error), USAGE)
    if root is not None and root != proof["root"]:
        fail(f"the root of {storage.root} is {proof['root']}, not {root}: no proof of it can be written", VIOLATION)
    if proof["subject"] == f"url:{wanted}":
        note = f"note: {wanted} has no http(s) origin; a web page is found by its whole URL, https:// included"
        Console(stderr=True, emoji=False).print(escape(note), soft_wrap=True, highlight=False)
    text = proof_text(proof)
    script = _write(target, text) if target is not None else None
    if as_json:
        typer.echo(text, nl=False)
        return
    console = Console(emoji=False)
    for line in verify_proof.verify(proof, proof["root"]):
        console.print(escape(line), soft_wrap=True, highlight=False)
    if len(proof["rows"]) == 2:
        console.print(
            "other spellings of it (http or https, www, a slash at the end) are other URLs: each has its own proof",
            soft_wrap=True,
            highlight=False,
        )
    console.print(f"root {proof['root']}", soft_wrap=True, highlight=False)
    console.print(
        escape(
            f"{target}: {len(text):,} bytes; hand it on with {script}: who has the root from elsewhere can check it, "
            "without Lauter:"
        ),
        soft_wrap=True,
        highlight=False,
    )
    check = f"python -I {shlex.quote(str(script))} {shlex.quote(str(target))} ROOT {shlex.quote(wanted)}"
    console.print(escape(check), soft_wrap=True, highlight=False)


def _write(target: Path, text: str) -> Path:
    """Write a proof, and beside it the script that checks it, unless a file of its name is there; where that one is.

    A file of its name that is not this script is left alone: then the script is where Lauter has it.
    """
    from lauter.pipeline.proof import verify_proof

    own, script = Path(verify_proof.__file__), target.parent / SCRIPT
    try:
        target.write_text(text, "ascii")
        if not script.exists():
            script.write_bytes(own.read_bytes())
        return script if script.read_bytes() == own.read_bytes() else own
    except OSError as error:
        fail(f"cannot write {target} and {SCRIPT} beside it: {error}", FAILED)
