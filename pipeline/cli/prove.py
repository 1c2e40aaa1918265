"""`lauter audit DIR --prove URL`: a proof for one page instead of an audit of all."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from lauter.pipeline.cli.console import FAILED, USAGE, VIOLATION, fail
from lauter.pipeline.storage import Storage, StorageError

DEFAULT = Path("proof.json")


def write_proof(folder: str, wanted: str, root: str | None, out: Path | None, *, as_json: bool) -> None:
    """Write the proof about a URL or doc_id to `out`, or print it as JSON; say in words what it proves.

    Leaves with a usage error where there is nothing to prove, and with a violation where the folder contradicts itself
    or has not the given root.
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
    if root is not None and root.strip().lower() != proof["root"]:
        fail(
            f"the root of {storage.root} is {proof['root']}, not {root.strip()}: no proof of it can be written",
            VIOLATION,
        )
    if proof["subject"] == f"url:{wanted}":
        note = f"note: {wanted} has no http(s) origin; a web page is found by its whole URL, https:// included"
        Console(stderr=True, emoji=False).print(escape(note), soft_wrap=True, highlight=False)
    text = proof_text(proof)
    if target is not None:
        try:
            target.write_text(text, "ascii")
        except OSError as error:
            fail(f"cannot write {target}: {error}", FAILED)
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
        escape(f"{target}: {len(text):,} bytes; anyone can check it, without Lauter, who has the root from elsewhere:"),
        soft_wrap=True,
        highlight=False,
    )
    console.print(escape(f"python {verify_proof.__file__} {target} ROOT"), soft_wrap=True, highlight=False)
