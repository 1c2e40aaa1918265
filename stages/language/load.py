"""Models by name or path, ready to identify with: the embedded one, lid.176, GlotLID, or any fastText model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from lauter.stages.language.evidence.lists import SUFFIX
from lauter.stages.language.evidence.lists import read as read_lists
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load as read
from lauter.stages.language.hub import GLOTLID, check, fetch
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels.support import Support, embedded

EMBEDDED = "embedded"
"""The name of the model that comes with Lauter and is the default."""

_HUB = {"glotlid": GLOTLID}

_PREFIX = "__label__"

NAMED = (EMBEDDED, "lid.176", *_HUB)
"""Models that have a name."""

_FILES = {EMBEDDED: "models/embedded/model.ftz", "lid.176": "models/lid.176.ftz"}


def load(model: str, *, normalised: bool | None = None, sha256: str | None = None) -> Identifier:
    """A model that is ready, with the word lists that lie beside it where it reads normalised text.

    Args:
        model: One of `NAMED`, or the path of a fastText model.
        normalised: Whether it was trained on normalised text (`normaliser`). None: only the embedded one was.
        sha256: What the file must have, in hexadecimal; None: it is not checked.

    Raises:
        ValueError: The file is no fastText model, has labels that are not understood, has another digest, or cannot be
            had from the hub; or the word lists beside it are not its own.
        OSError: The file cannot be read.
    """
    if normalised is None:
        normalised = model == EMBEDDED
    if model in _HUB:
        return Identifier(Predictor(read(str(fetch(_HUB[model], sha256)))), normalised=normalised)
    with ExitStack() as stack:
        path = Path(model)
        if model in _FILES:
            path = stack.enter_context(resources.as_file(resources.files(__package__).joinpath(_FILES[model])))
        if sha256 is not None:
            check(path, sha256)
        predictor = Predictor(read(str(path)))
        lists = path.with_suffix(SUFFIX)
        if not (normalised and lists.exists()):
            return Identifier(predictor, normalised=normalised)
        labels = tuple(label.removeprefix(_PREFIX) for label in predictor.model.labels)
        return Identifier(predictor, normalised=normalised, lists=read_lists(lists, labels))


def known_labels(model: str) -> Mapping[str, Support]:
    """How well a model knows each of its labels, where a table says so: of the embedded model."""
    return embedded() if model == EMBEDDED else {}
