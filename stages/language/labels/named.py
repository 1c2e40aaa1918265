"""Labels that a manifest names, against those of a model: one that it does not have would silently keep nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from lauter.stages.language.labels.meaning import Meaning, is_unidentified, wikipedia_labels
from lauter.stages.language.labels.registry import members, resolve


def check_named(named: Iterable[str], known: Collection[str], model: str) -> None:
    """Refuse labels that are none of the model's.

    Labels without one identified language (`und_Latn`, `zxx_Zzzz`) may always be named.

    Args:
        named: Labels of the form `deu_Latn`.
        known: The labels that the model can answer with.
        model: Its name, for the message.

    Raises:
        ValueError: One is not known; the message has the label that means the same, or those that are akin, if any.
    """
    for label in named:
        if label in known or is_unidentified(label):
            continue
        same = resolve(label[:3], {other[:3] for other in known if other[4:] == label[4:]})
        # In another script, or the members of a macrolanguage.
        akin = {label[:3], resolve(label[:3], {other[:3] for other in known}), *members(label[:3])}
        others = sorted(other for other in known if other[:3] in akin)
        mend = "`lauter lang list` has all of the embedded model"
        if same is not None:
            mend = f"it calls it {same}_{label[4:]}"
        elif others:
            mend = f"it has {', '.join(others)}"
        raise ValueError(f"the model {model} has no label {label}; {mend}")


def answers(labels: Mapping[str, Meaning]) -> frozenset[str]:
    """Every label that a model can answer with: of one that names no script, each that the language is written in."""
    return frozenset(
        name
        for meaning in labels.values()
        for name in ([f"{meaning.language}_{script}" for script in meaning.scripts] or [meaning.language])
    )


def wikipedia_answers() -> frozenset[str]:
    """Every label that lid.176 can answer with."""
    return answers(wikipedia_labels())
