"""Trains the rows of features and the output matrix: mean of rows, softmax, Adagrad.

The model is fastText's (A. Joulin et al., arXiv:1607.01759): logits = W mean(E[features]). Trained is in batches: the
products with W, 2,000 labels wide, are one blocked product for all lines of a batch, and W changes after it. Rows
change line by line. Adagrad (J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2011): for W a sum of squares for each number, for
E one for each row, its mean.

The result is the same bit for bit on every machine. Each sum has its order: along a lane that vector instructions may
run beside others, and where one number is made out of many, in 16 partial sums that are then added one after the other.
Nothing is left to a BLAS, to the C library's `exp` or to several threads, and a product and a sum round twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lauter.pipeline.kernel import kernel
from lauter.stages.kernels.characters import Integer
from lauter.stages.language.training.features import Features, find_features
from lauter.stages.language.training.numbers import key_of, number
from lauter.stages.language.training.recipe import Network
from lauter.stages.language.training.sampling import Drawn

_TILE = 256
"""Labels whose part of W stays in the nearest cache, 256 kB at dimension 256."""
_LANES = 16
_MOST_FEATURES = 4000
"""Features of a line that are looked at: lines have some 300."""
_LEAST = np.float32(2e-5)
"""Gradients below are left out: of 2,000 labels a trained model gives all but some 50 next to no probability."""
_ONE = np.float32(1)

# e^x for x <= 0 (S. Moshier, Cephes Math Library, expf): x = k ln 2 + f, ln 2 in two parts, a polynomial for e^f.
_LOG2_E = np.float32(1.44269504088896341)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_POLYNOMIAL = tuple(
    np.float32(value)
    for value in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_P0, _P1, _P2, _P3, _P4, _P5 = _POLYNOMIAL
_LOWEST = np.float32(-80)  # e^-80 is 1.8e-35, above the smallest normal number


class State(NamedTuple):
    """What is trained, and Adagrad's sums."""

    rows: NDArray[np.float32]
    """Shape (features, dim)."""
    row_sums: NDArray[np.float32]
    """Shape (features,)."""
    output: NDArray[np.float32]
    """Shape (labels filled up to a multiple of 256, dim); the rows beyond the labels are 0."""
    output_sums: NDArray[np.float32]


class Rates(NamedTuple):
    """Of one call."""

    first: float
    """Adagrad's rate at the first line."""
    last: float
    """At the last."""
    output: float
    """Of the output matrix, as a multiple."""
    word_dropout: int
    """In 2^32nds."""
    ngram_dropout: int
    smoothing: float


def new_state(features: int, labels: int, dim: int, seed: int) -> State:
    """Rows uniform in +-1 / dim, as fastText begins, and an output matrix of zeros."""
    width = -(-labels // _TILE) * _TILE
    rows = np.empty((features, dim), np.float32)
    fill_uniform(rows.reshape(-1), np.float32(1 / dim), key_of(seed, "rows"))
    output = np.zeros((width, dim), np.float32)
    return State(rows, np.full(features, 1e-12, np.float32), output, np.full_like(output, 1e-8))


def raised_logits(labels: Sequence[str], types: NDArray[np.int64], network: Network) -> NDArray[np.float32]:
    """What is added to the logit of each label in training, and so is missing in use: shape (labels,).

    `adjustment` times the logarithm of a label's word types (A. K. Menon et al., Long-tail learning via logit
    adjustment, arXiv:2007.07314, section 4.2, with word types in the place of frequency: of a language with a short
    list most words of a text are new, of one with a long list few are); less what a label is favoured by.
    """
    raised = np.log(types + 1.0) * network.adjustment
    raised -= np.array([network.favoured.get(label, 0.0) for label in labels])
    # In whole 1,024ths: the last bit of a logarithm is the C library's.
    rounded: NDArray[np.float32] = (np.rint(raised * 1024) / 1024).astype(np.float32)
    return rounded


def rates(network: Network, begin: float, end: float) -> Rates:
    """The rates between two parts of the whole training, 0 to 1."""
    return Rates(
        network.rate * (1 - begin), network.rate * (1 - end), network.output_rate,
        round(network.word_dropout * 2**32), round(network.ngram_dropout * 2**32), network.smoothing,
    )  # fmt: skip


@kernel
def fill_uniform(values: NDArray[np.float32], bound: np.float32, key: np.uint64) -> None:
    """Fill `values` with numbers uniform in +-`bound`."""
    for place in range(values.size):
        bits = np.int64(number(key, place) >> np.uint64(40))  # 24 bits, exact in a float32
        values[place] = (np.float32(bits) * np.float32(2.0**-23) - _ONE) * bound


@kernel
def train_lines(
    lines: Drawn,
    features: Features,
    state: State,
    raised: NDArray[np.float32],
    batch: int,
    rate: Rates,
    key: np.uint64,
) -> float:
    """Train on lines, in their order.

    Args:
        lines: With the label of each.
        features: Those that have a row.
        state: Changed.
        raised: Shape (labels,): what is added to the logit of each label in training, and not in use.
        batch: Lines between two changes of the output matrix; a multiple of 4.
        rate: Of this call.
        key: Of the random numbers of the dropout.

    Returns:
        The sum of the lines' losses, in nats.
    """
    dim, width, labels = state.rows.shape[1], state.output.shape[0], raised.size
    found, counts = np.empty((batch, _MOST_FEATURES), np.int32), np.zeros(batch, np.int64)
    hidden, errors = np.zeros((batch, dim), np.float32), np.zeros((batch, dim), np.float32)
    logits, transposed = np.empty((batch, width), np.float32), np.empty((dim, width), np.float32)
    gradient, touched = np.zeros((width, dim), np.float32), np.zeros(width, np.bool_)
    exponents, lanes = np.zeros(width, np.int32), np.zeros(_LANES, np.float32)
    total = lines.labels.size
    loss = 0.0
    for begin in range(0, total, batch):
        size = min(batch, total - begin)
        now = np.float32(rate.first + (rate.last - rate.first) * (begin / total))
        for label in range(labels):
            for column in range(dim):
                transposed[column, label] = state.output[label, column]
        for label in range(labels, width):
            for column in range(dim):
                transposed[column, label] = 0
        hidden[:] = 0
        for place in range(size):
            line = begin + place
            count = find_features(lines.data, lines.offsets[line], lines.offsets[line + 1], features, found[place])
            counts[place] = drop_features(found[place], count, features.words, rate, number(key, line))
            add_mean(state.rows, found[place], counts[place], hidden[place])
        multiply(hidden, transposed, logits)
        for place in range(size):
            label = lines.labels[begin + place]
            for other in range(labels):
                logits[place, other] += raised[other]
            softmax(logits[place], labels, exponents, lanes)
            loss -= np.log(max(np.float64(logits[place, label]), 1e-30))
            errors[place] = 0
            back(
                logits[place],
                label,
                labels,
                rate.smoothing,
                state.output,
                hidden[place],
                errors[place],
                gradient,
                touched,
            )
        for place in range(size):
            change_rows(state.rows, state.row_sums, found[place], counts[place], errors[place], now, lanes)
        change_output(state.output, state.output_sums, gradient, touched, labels, now * np.float32(rate.output))
    return loss


@kernel
def drop_features(found: NDArray[np.int32], count: int, words: int, rate: Rates, key: np.uint64) -> int:
    """Leave out features by chance; returns how many are left."""
    if rate.word_dropout == 0 and rate.ngram_dropout == 0:
        return count
    left = 0
    for place in range(count):
        limit = rate.word_dropout if found[place] < words else rate.ngram_dropout
        if np.int64(number(key, place) >> np.uint64(32)) >= limit:
            found[left] = found[place]
            left += 1
    return left


@kernel
def add_mean(rows: NDArray[np.float32], found: NDArray[np.int32], count: int, mean: NDArray[np.float32]) -> None:
    """Set `mean`, zeros of shape (dim,), to the mean of the rows `found[:count]`."""
    for place in range(count):
        row = rows[found[place]]
        for column in range(mean.size):
            mean[column] += row[column]
    if count:
        share = _ONE / np.float32(count)
        for column in range(mean.size):
            mean[column] *= share


@kernel
def multiply(left: NDArray[np.float32], right: NDArray[np.float32], product: NDArray[np.float32]) -> None:
    """`product` = `left` `right`.

    Args:
        left: Shape (n, m), both multiples of 4.
        right: Shape (m, k), k a multiple of 256.
        product: Shape (n, k), filled.
    """
    for tile in range(0, right.shape[1], _TILE):
        for row in range(0, left.shape[0], 4):
            sum0, sum1 = product[row, tile : tile + _TILE], product[row + 1, tile : tile + _TILE]
            sum2, sum3 = product[row + 2, tile : tile + _TILE], product[row + 3, tile : tile + _TILE]
            for lane in range(_TILE):
                sum0[lane] = 0
                sum1[lane] = 0
                sum2[lane] = 0
                sum3[lane] = 0
            a, b, c, d = left[row], left[row + 1], left[row + 2], left[row + 3]
            for k in range(0, left.shape[1], 4):
                right0, right1 = right[k, tile : tile + _TILE], right[k + 1, tile : tile + _TILE]
                right2, right3 = right[k + 2, tile : tile + _TILE], right[k + 3, tile : tile + _TILE]
                a0, a1, a2, a3 = a[k], a[k + 1], a[k + 2], a[k + 3]
                b0, b1, b2, b3 = b[k], b[k + 1], b[k + 2], b[k + 3]
                c0, c1, c2, c3 = c[k], c[k + 1], c[k + 2], c[k + 3]
                d0, d1, d2, d3 = d[k], d[k + 1], d[k + 2], d[k + 3]
                for lane in range(_TILE):
                    x0, x1, x2, x3 = right0[lane], right1[lane], right2[lane], right3[lane]
                    sum0[lane] = sum0[lane] + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3
                    sum1[lane] = sum1[lane] + b0 * x0 + b1 * x1 + b2 * x2 + b3 * x3
                    sum2[lane] = sum2[lane] + c0 * x0 + c1 * x1 + c2 * x2 + c3 * x3
                    sum3[lane] = sum3[lane] + d0 * x0 + d1 * x1 + d2 * x2 + d3 * x3


@kernel
def softmax(values: NDArray[np.float32], labels: int, exponents: NDArray[np.int32], lanes: NDArray[np.float32]) -> None:
    """Turn logits into probabilities.

    Args:
        values: Shape (at least labels,), changed.
        labels: How many there are.
        exponents: Same shape, overwritten.
        lanes: Shape (16,), overwritten.
    """
    highest = values[0]
    for label in range(labels):
        highest = max(highest, values[label])
    powers = exponents.view(np.float32)
    for label in range(labels):
        x = max(values[label] - highest, _LOWEST)
        k = np.int32(x * _LOG2_E - np.float32(0.5))
        f = x - np.float32(k) * _LN2_HIGH - np.float32(k) * _LN2_LOW
        p = ((((_P0 * f + _P1) * f + _P2) * f + _P3) * f + _P4) * f + _P5
        values[label] = p * f * f + f + _ONE
        exponents[label] = (k + np.int32(127)) << np.int32(23)
    for label in range(labels):
        values[label] *= powers[label]
    whole = labels // _LANES * _LANES
    lanes[:] = 0
    for label in range(0, whole, _LANES):
        for lane in range(_LANES):
            lanes[lane] += values[label + lane]
    total = np.float32(0)
    for lane in range(_LANES):
        total += lanes[lane]
    for label in range(whole, labels):
        total += values[label]
    share = _ONE / total
    for label in range(labels):
        values[label] *= share


@kernel
def back(
    probabilities: NDArray[np.float32],
    label: Integer,
    labels: int,
    smoothing: float,
    output: NDArray[np.float32],
    hidden: NDArray[np.float32],
    error: NDArray[np.float32],
    gradient: NDArray[np.float32],
    touched: NDArray[np.bool_],
) -> None:
    """Add one line's gradients of the loss: to `error` (dim,) that of its mean, to `gradient` that of the output."""
    spread = np.float32(smoothing / labels)
    for other in range(labels):
        slope = probabilities[other] - spread
        if other == label:
            slope -= np.float32(1 - smoothing)
        if abs(slope) > _LEAST:
            touched[other] = True
            row, change = output[other], gradient[other]
            for column in range(hidden.size):
                error[column] += slope * row[column]
                change[column] += slope * hidden[column]


@kernel
def change_rows(
    rows: NDArray[np.float32],
    sums: NDArray[np.float32],
    found: NDArray[np.int32],
    count: Integer,
    error: NDArray[np.float32],
    rate: np.float32,
    lanes: NDArray[np.float32],
) -> None:
    """A step of Adagrad for the rows `found[:count]` of one line, whose mean has the gradient `error`."""
    if count == 0:
        return
    share = _ONE / np.float32(count)
    lanes[:] = 0
    for column in range(0, error.size, _LANES):
        for lane in range(_LANES):
            lanes[lane] += error[column + lane] * error[column + lane]
    square = np.float32(0)
    for lane in range(_LANES):
        square += lanes[lane]
    square = square * share * share / np.float32(error.size)
    for place in range(count):
        row = rows[found[place]]
        grown = sums[found[place]] + square
        sums[found[place]] = grown
        step = rate * share / np.sqrt(grown)
        for column in range(error.size):
            row[column] -= step * error[column]


@kernel
def change_output(
    output: NDArray[np.float32],
    sums: NDArray[np.float32],
    gradient: NDArray[np.float32],
    touched: NDArray[np.bool_],
    labels: int,
    rate: np.float32,
) -> None:
    """A step of Adagrad for the output matrix; `gradient` and `touched` are cleared."""
    for label in range(labels):
        if touched[label]:
            touched[label] = False
            row, squares, change = output[label], sums[label], gradient[label]
            for column in range(row.size):
                squares[column] += change[column] * change[column]
                row[column] -= rate * change[column] / np.sqrt(squares[column])
                change[column] = 0


@kernel
def mean_of_lines(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int64],
    features: Features,
    rows: NDArray[np.float32],
    means: NDArray[np.float32],
) -> None:
    """The mean of the rows of each line: `means`, zeros of shape (lines, dim), filled."""
    found = np.empty(_MOST_FEATURES, np.int32)
    for line in range(offsets.size - 1):
        count = find_features(data, offsets[line], offsets[line + 1], features, found)
        add_mean(rows, found, count, means[line])
