"""Models by name or path, ready to identify with: the embedded one, lid.176, GlotLID, or any fastText model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from importlib import resources
from pathlib import Path

from lauter.stages.language.evidence.lists import SUFFIX
from lauter.stages.language.evidence.lists import read as read_lists
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.fasttext.read import load as read
from lauter.stages.language.hub import GLOTLID, check, fetch, stored
from lauter.stages.language.identify import Identifier
from lauter.stages.language.labels import meanings
from lauter.stages.language.labels.named import answers, wikipedia_answers
from lauter.stages.language.labels.support import Support, embedded

EMBEDDED = "embedded"
"""The name of the model that comes with Lauter and is the default."""

_HUB = {"glotlid": GLOTLID}

_PREFIX = "__label__"

NAMED = (EMBEDDED, "lid.176", *_HUB)
"""Models that have a name."""

_FILES = {EMBEDDED: "models/embedded/model.ftz", "lid.176": "models/lid.176.ftz"}


def load(
    model: str, *, normalised: bool | None = None, sha256: str | None = None, lists: Path | None = None
) -> Identifier:
    """A model that is ready, with its word lists.

    Args:
        model: One of `NAMED`, or the path of a fastText model.
        normalised: Whether it was trained on normalised text (`normaliser`). None: only the embedded one was.
        sha256: What the file must have, in hexadecimal; None: it is not checked.
        lists: The file of its word lists. None: none, but of the embedded model its own.

    Raises:
        ValueError: The file is no fastText model, has labels that are not understood, has another digest, or cannot be
            had from the hub; or the word lists are not its own, or it does not read normalised text, as they do.
        OSError: A file cannot be read.
    """
    if normalised is None:
        normalised = model == EMBEDDED
    if lists is not None and not normalised:
        raise ValueError(f"{lists}: word lists are of normalised text, and the model {model} is not said to read that")
    with ExitStack() as stack:
        path = fetch(_HUB[model], sha256) if model in _HUB else Path(model)
        if model in _FILES:
            path = stack.enter_context(resources.as_file(resources.files(__package__).joinpath(_FILES[model])))
        if sha256 is not None and model not in _HUB:
            check(path, sha256)
        predictor = Predictor(read(str(path)))
        if lists is None and model == EMBEDDED and normalised:
            lists = path.with_suffix(SUFFIX)
        if lists is None:
            return Identifier(predictor, normalised=normalised)
        labels = tuple(label.removeprefix(_PREFIX) for label in predictor.model.labels)
        return Identifier(predictor, normalised=normalised, lists=read_lists(lists, labels))


def lists_beside(model: str) -> Path | None:
    """The word lists that lie beside a model by path, as `lauter lang train` writes them; None: there are none."""
    path = Path(model).with_suffix(SUFFIX)
    return path if model not in NAMED and path.is_file() else None


def known_labels(model: str) -> Mapping[str, Support]:
    """How well a model knows each of its labels, where a table says so: of the embedded model."""
    return embedded() if model == EMBEDDED else {}


def possible(model: str) -> Collection[str] | None:
    """The labels that a model can answer with; None where it is not on this machine.

    Raises:
        ValueError: The file is no fastText model, or one with labels that are not understood.
        OSError: It cannot be read.
    """
    if model == EMBEDDED:
        return known_labels(EMBEDDED)
    if model == "lid.176":
        return wikipedia_answers()
    path = stored(GLOTLID) if model == "glotlid" else Path(model)
    return None if path is None else answers(meanings(read(str(path)).labels))
