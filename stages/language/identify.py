"""Which language each document is in: by script first, then by a fastText model among the labels of that script.

Letters are counted by script, which is exact and cheap. The model sees the letters of the script that most are of (each
counts for what `script` says: one of Latin for little, as these stand in pages of every language), and answers among
the labels that can be written in it: its probabilities are those under the condition that it is one of these. So the
English names in a Chinese page have no say, and a script that only one label has needs no model. What is judged are the
units of a document (`pieces`), each for itself:

* Of pieces the probabilities are averaged, weighted by letters.
* Of lines each has a vote, weighted by letters and by how sure it is, and the label is that with most votes.

The probability of the document's label is the average over the units that answer it, where that is more than its
average over all: half a page in another language makes it no less sure.

The embedded model's probabilities are those that the words of a text agree with (`evidence.weigh`).

`und_` and a script is the answer where there are too few letters, or no label of that script; `zxx_Zzzz` is no language
at all: a text of figures and signs with next to no letter, or what the model takes for code, codes or gibberish.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.stages.language.combine import best_only, combine
from lauter.stages.language.evidence.lists import WordLists
from lauter.stages.language.evidence.weigh import weigh
from lauter.stages.language.fasttext.predict import Predictor
from lauter.stages.language.labels import is_unidentified, meanings
from lauter.stages.language.normaliser import normalise
from lauter.stages.language.pieces import Units, gather
from lauter.stages.language.script import claims, count_scripts, keep_script, letters_of, scripts

NOISE = "zxx_Zzzz"
"""The label of what is no language (ISO 639-3: zxx, "no linguistic content"; ISO 15924: Zzzz, "code for uncoded")."""

# Below one letter in five of what is seen a text is figures and signs, from thirty on. The fewest of 26,000 paragraphs
# in 391 languages has one in two (Indic vowel signs are marks, and not counted); a table of prices has none.
_NOISE_SHARE = 5
_NOISE_VISIBLE = 30
# Beside other units of a text, one in English counts half, as Latin letters do, where a model knows words: these make
# it sure of English menus and commands. Of 1,441 pages in a known language 40 are called another without, 9 with it.
_COMMON, _COMMON_SAY = "eng_Latn", 0.5
# Units at a time: their probabilities of 2,000 labels are 8 MB.
_UNITS = 1024


class Judgement(NamedTuple):
    """What n documents are in; labels are indices into `Identifier.names`."""

    labels: NDArray[np.int32]
    """Shape (n, k): the best label first, the others -1 where there is none."""
    probabilities: NDArray[np.float64]
    """Shape (n, k): 0 for `und_` and where there is no label."""
    second: NDArray[np.int32]
    """Shape (n,): the language that most letters are in besides the first, -1 where all are in one or nobody knows."""
    share: NDArray[np.float64]
    """Shape (n,): the share of the letters that were judged in units of the second language, each for its worth."""
    other_script: NDArray[np.float64]
    """Shape (n,): the share of the letters that cannot be of the first language's script."""


class Identifier:
    """A model, and what its labels may be written in."""

    def __init__(self, predictor: Predictor, *, normalised: bool, lists: WordLists | None = None) -> None:
        """A model.

        Args:
            predictor: It.
            normalised: Whether it was trained on text that went through `normalise`.
            lists: Its word lists, for one that was.

        Raises:
            ValueError: A label is neither of the form `deu_Latn` nor one of lid.176.
        """
        self._predictor, self._normalised, self._lists = predictor, normalised, lists
        self.model_labels: tuple[str, ...] = predictor.model.labels
        """As the model has them, `__label__` in front."""
        means = meanings(self.model_labels)
        forms = [
            [f"{means[label].language}_{code}" for code in means[label].scripts] or [means[label].language]
            for label in self.model_labels
        ]
        codes = scripts().codes
        unknown = [f"und_{code}" for code in codes]
        known = [name for each in forms for name in each]
        self.names: tuple[str, ...] = tuple(dict.fromkeys([*known, NOISE, *unknown]))
        """Every label that it can answer with."""
        place = {name: index for index, name in enumerate(self.names)}
        self._noise = place[NOISE]
        is_common = np.array([each[0] == _COMMON for each in forms])
        self._say = np.where(is_common & (lists is not None), _COMMON_SAY, 1.0)
        self._unknown = np.array([place[name] for name in unknown], np.int32)
        self._is_language = np.array([not is_unidentified(each[0]) for each in forms], np.bool_)
        # A label of no script that is known, zxx_Zzzz first of all, may stand anywhere.
        found = sorted({name[4:] for name in known})
        self._scripts = [code for code in found if letters_can_be(code)]
        row = {code: index for index, code in enumerate(self._scripts)}
        width = max(len(each) for each in forms)
        forms = [[*each, *each[:1] * width][:width] for each in forms]
        self._forms = np.array([[place[name] for name in each] for each in forms], np.int32)
        self._form_script = np.array([[row.get(name[4:], -1) for name in each] for each in forms], np.int32)
        self._anywhere: NDArray[np.bool_] = (self._form_script == -1).any(axis=1)

    def judge(self, units: Units, k: int, min_letters: int, *, by_lines: bool = False) -> Judgement:
        """Identify each document.

        Args:
            units: What is judged of each document.
            k: Labels of each that are wanted.
            min_letters: A document with fewer letters is `und_`.
            by_lines: Whether each unit has a vote, or probabilities are averaged.
        """
        counts, visible = count_scripts(units.data, units.offsets)
        claimed = claims(counts)
        # What is judged of a unit, and so counts for it, are the letters of its own script: in the choice of a label as
        # they claim a text, in shares for what they are.
        own = scripts().together[claimed.argmax(axis=1)]
        weights, letters = ((each * own).sum(axis=1) for each in (claimed, counts))
        counts_of, weights_of, visible_of = (_sums(each, units.bounds) for each in (counts, weights, visible))
        letters_seen = counts_of.sum(axis=1)
        is_noise = (visible_of >= _NOISE_VISIBLE) & (letters_seen * _NOISE_SHARE < visible_of)
        wanted = ~is_noise & (letters_seen >= min_letters)
        documents = len(units.bounds) - 1
        labels, second = np.full((documents, k), -1, np.int32), np.full(documents, -1, np.int32)
        mass, voters = np.zeros((documents, k)), np.zeros((documents, k), np.int64)
        own_mass, share = np.zeros(documents), np.zeros(documents)
        for first, end in _portions(units.bounds):
            part = slice(units.bounds[first], units.bounds[end])
            bounds = units.bounds[first : end + 1] - units.bounds[first]
            heard = weights[part] * np.repeat(wanted[first:end], np.diff(bounds))
            found = self._probabilities(units, part, claimed[part], heard)
            rows = slice(first, end)
            each = labels[rows], mass[rows], voters[rows], own_mass[rows], second[rows], share[rows]
            combine(
                best_only(found) if by_lines else found,
                heard,
                letters[part],
                bounds,
                self._is_language,
                self._say,
                *each,
            )
        probabilities = mass / np.maximum(voters if by_lines else weights_of[:, None], 1)
        probabilities[:, 0] = np.maximum(probabilities[:, 0], own_mass / np.maximum(voters[:, 0], 1))
        claimed_of = claims(counts_of)
        for column in range(k):
            labels[:, column] = self._named(labels[:, column], claimed_of)
        second = self._named(second, claimed_of)
        labels[:, 0] = np.where(labels[:, 0] < 0, self._unknown[claimed_of.argmax(axis=1)], labels[:, 0])
        labels[is_noise, 0], probabilities[is_noise, 0] = self._noise, 1
        return Judgement(labels, probabilities, second, share, self._other_script(labels[:, 0], counts_of))

    def _probabilities(
        self, units: Units, part: slice, claimed: NDArray[np.int64], weights: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """The probability of each of the model's labels for each of some units, all 0 where none is possible."""
        of, together = scripts().of, scripts().together
        found = np.zeros((len(claimed), len(self.model_labels)), np.float32)
        most, script = claimed.max(axis=1), claimed.argmax(axis=1)
        possible = np.column_stack([letters_of(code, claimed) >= most for code in self._scripts])
        for rows, mask in _alike(possible, np.flatnonzero(weights)):
            # The last place is for labels without a script.
            allowed = np.append(mask, np.True_)[self._form_script].any(axis=1)
            own = np.flatnonzero(allowed & ~self._anywhere)
            if len(own) == 1:
                found[rows, own[0]] = 1
            elif len(own):
                starts, ends = units.offsets[part][rows], units.offsets[part.start + 1 : part.stop + 1][rows]
                data, offsets = gather(units.data, np.column_stack([starts, ends]))
                keep_script(data, offsets, together[script[rows]], of)
                data.flags.writeable = False
                data, offsets = normalise(data, offsets) if self._normalised else (_in_one_line(data), offsets)
                everywhere = np.broadcast_to(allowed, (len(rows), found.shape[1]))
                judged = self._predictor.probabilities(data, offsets, everywhere)
                if self._lists is not None:
                    weigh(data, offsets, self._lists, judged)
                found[rows] = judged
        return found

    def _named(self, labels: NDArray[np.int32], claimed: NDArray[np.int64]) -> NDArray[np.int32]:
        """Indices into `names` from those into the model's labels: of a label without a script, the text's own."""
        forms = self._forms[labels]
        if forms.shape[1] > 1:
            letters = np.column_stack([*(letters_of(code, claimed) for code in self._scripts), np.zeros(len(claimed))])
            best = np.take_along_axis(letters, self._form_script[labels], axis=1).argmax(axis=1)
            forms = np.take_along_axis(forms, best[:, None], axis=1)
        named: NDArray[np.int32] = np.where(labels < 0, -1, forms[:, 0]).astype(np.int32)
        return named

    def _other_script(self, labels: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        share = np.zeros(len(labels))
        total = np.maximum(counts.sum(axis=1), 1)
        for label in np.unique(labels).tolist():
            code = self.names[label][4:]
            if letters_can_be(code):
                rows = labels == label
                share[rows] = 1 - letters_of(code, counts[rows]) / total[rows]
        return share


def letters_can_be(code: str) -> bool:
    """Whether there are letters of a writing system, by its ISO 15924 code: none of `Zzzz`, `Zyyy`, `Brai`."""
    each = np.eye(len(scripts().codes), dtype=np.int32)[1:]
    return bool(letters_of(code, each).any())


def _in_one_line(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spaces in place of fastText's own mark of an end: a page with `</s>` in its text would hide what follows."""
    return np.frombuffer(data.tobytes().replace(b"</s>", b"    "), np.uint8)


def _sums(values: NDArray[np.integer[Any]], bounds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of the rows of each document, of which some may have none."""
    sums = np.zeros((len(values) + 1, *values.shape[1:]), np.int64)
    np.cumsum(values, axis=0, out=sums[1:])
    found: NDArray[np.int64] = sums[bounds[1:]] - sums[bounds[:-1]]
    return found


def _portions(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of documents of at most `_UNITS` units, or of one document."""
    first = 0
    while first < len(bounds) - 1:
        end = max(int(np.searchsorted(bounds, bounds[first] + _UNITS, side="right")) - 1, first + 1)
        yield first, end
        first = end


def _alike(rows: NDArray[np.bool_], which: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """Some rows of a mask, those that are equal together, and what they are."""
    packed = np.packbits(rows[which], axis=1)
    _, first, group = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    for number, place in enumerate(first.tolist()):
        yield which[group.reshape(-1) == number], rows[which[place]]
