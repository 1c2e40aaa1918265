"""The trainer's commands, as the command line mounts them: name -> `module:attribute` of a typer app."""

from __future__ import annotations

COMMANDS = {
    "train": "lauter.trainer.cli.train:app",
    "tune": "lauter.trainer.cli.tune:app",
    "launch": "lauter.trainer.cli.launch:app",
    "generate": "lauter.trainer.cli.generate:app",
    "chat": "lauter.trainer.cli.chat:app",
    "serve-model": "lauter.trainer.cli.serve_model:app",
    "probe": "lauter.trainer.cli.probe:app",
    "eval": "lauter.trainer.cli.evaluate:app",
    "lineage": "lauter.trainer.cli.lineage:app",
    "export": "lauter.trainer.cli.export:app",
    "import": "lauter.trainer.cli.import_model:app",
    "pack": "lauter.trainer.cli.pack:app",
}
