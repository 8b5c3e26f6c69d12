"""The captioning network: CNN features -> h0; words -> recurrent layers -> vocabulary scores -> loss.

    v      = image(features)
    x      = words(captions[:, :-1])
    h      = rnn.k(input.k(... rnn.0(input.0(x), h0)))
    scores = head(h)
    loss   = 1/N * sum over unmasked positions of loss(scores, captions[:, 1:])

The image enters at one of four places (Tanti, Gatt & Camilleri, "Where to put the image in an image caption
generator", 2018, section 3); h0 = 0 but for the first:

    init   h0 = v          (N, sum of all H), a share for each recurrent layer
    pre    x_0 = v         an input (N, D) that the recurrent layers read before the first word
    par    x = [x, v]      beside every word
    merge  h = [h, v]      beside every output of the top layer; the recurrent layers see words alone

A caption is `<START> w1 .. wk <END> <NULL> ..`; a position is masked where its target is `<NULL>`. A masked
position inside a caption is still stepped through, it only has no loss.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import attrs
import numpy as np

from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError
from rnnkit.kinds import (
    Array,
    DType,
    Ints,
    Mask,
    Memory,
    Params,
    Rng,
    Scalar,
    State,
    map_arrays,
)
from rnnkit.network.chain import Chain
from rnnkit.network.engine import Recurrence
from rnnkit.network.packing import Packing
from rnnkit.network.parts import Parts, named_chain, named_level
from rnnkit.network.writer import Writer
from rnnkit.numerics import log_softmax, sum_rows
from rnnkit.spec import Injection, Spec
from rnnkit.system.process import pieces, together

HEAD_ROWS = 1024
"""Positions that go through the head at once: their scores (1024, V) are the only ones in memory."""

HEAD_BYTES = 32 << 20
"""Bytes of scores that should do: of a large vocabulary, fewer positions go through the head at once."""

LEAST_HEAD_ROWS = 128
"""But not fewer than this: every block's share of the head's gradient is added to the sum over blocks."""

LOSS_SIZE = 1 << 17
"""Scores that go through the loss at once: what it computes on the way stays in the processor's cache."""


Take: TypeAlias = Callable[[Mapping[str, Array]], None]
"""Takes gradients, by the names of their parameters."""


def _nothing(_: Mapping[str, Array]) -> None:
    pass


@attrs.frozen
class Level:
    """One recurrent layer with the chain its inputs pass through first.

    Attributes:
        below: width of what comes from below.
        hidden: H.
        start: width of its share of h0, which is H for most cells.
    """

    input: Chain
    rnn: Recurrence[Any, Any, Any]
    below: int
    hidden: int
    start: int


class Lexicon:
    """What each token brings to the first recurrent layer, computed when it first comes up.

    It holds for the parameters of the moment. Threads may share one.
    """

    def __init__(self, project: Callable[[Ints], Array], tokens: int) -> None:
        self._project = project
        self._place = np.full(tokens, -1)
        self._table: Array = np.empty((0, 0))
        self._count = 0
        self._lock = threading.Lock()

    def rows(self, tokens: Ints) -> Array:
        """A new array (n, ..), a row for each token."""
        place = self._place[tokens]
        if (place < 0).any():
            with self._lock:
                self._add(np.unique(tokens[self._place[tokens] < 0]))
            place = self._place[tokens]
        rows: Array = self._table[place]
        return rows

    def _add(self, new: Ints) -> None:
        rows, count = self._project(new), self._count + len(new)
        if count > len(self._table):
            table = np.empty((min(2 * count, len(self._place)), rows.shape[1]), rows.dtype)
            if self._count:
                table[: self._count] = self._table[: self._count]
            self._table = table
        self._table[self._count : count] = rows
        self._place[new] = np.arange(self._count, count)
        self._count = count


@attrs.frozen(eq=False)
class Remembered(Memory):
    """The state of every recurrent layer, bottom to top; v, of each row's image; and the words met so far."""

    states: tuple[State, ...]
    image: Array
    lexicon: Lexicon

    def __len__(self) -> int:
        return len(self.states[0].h)

    def take(self, rows: Ints) -> Remembered:
        states = tuple(map_arrays(lambda a: a[rows], s) for s in self.states)
        return Remembered(states, self.image[rows], self.lexicon)


@attrs.frozen(eq=False)
class Captioner(Writer[Remembered]):
    """A captioning network with its parameters.

    Attributes:
        spec: what it was built from, with everything that was left open filled in.
        vocabulary: the words behind the tokens.
        feature_width: F.
        length: T, tokens of the longest caption it was built for, start and end included.
        lexicon: of a frozen network, the words that it has met so far.
    """

    spec: Spec
    vocabulary: Vocabulary
    feature_width: int
    length: int
    image: Chain
    words: Chain
    levels: tuple[Level, ...]
    head: Chain
    lexicon: Lexicon | None = None

    @property
    def dtype(self) -> DType:
        """Of the parameters and of all arithmetic."""
        return np.dtype(self.spec.model.dtype)

    @property
    def parameters(self) -> dict[str, Array]:
        """One flat view: dotted name -> the very array the network computes with."""
        parts = Parts(
            [link.params for link in self.image],
            [link.params for link in self.words],
            [[link.params for link in level.input] for level in self.levels],
            [level.rnn.params for level in self.levels],
            [link.params for link in self.head],
        )
        return dict(parts.named())

    def with_parameters(self, values: Mapping[str, Array]) -> Captioner:
        """The same network computing with other arrays, one for each name in `parameters`."""
        names = iter(self.parameters)

        def other(_: Array) -> Array:
            return values[next(names)]

        def chain(links: Chain) -> Chain:
            moved = (attrs.evolve(k, params=map_arrays(other, k.params)) for k in links)
            return Chain(tuple(moved))

        image, words = chain(self.image), chain(self.words)
        levels = tuple(
            attrs.evolve(
                level,
                input=chain(level.input),
                rnn=level.rnn.with_params(map_arrays(other, level.rnn.params)),
            )
            for level in self.levels
        )
        return attrs.evolve(
            self, image=image, words=words, levels=levels, head=chain(self.head), lexicon=None
        )

    def frozen(self) -> Captioner:
        """This network with parameters, copies of its own, that cannot be changed any more.

        It captions image by image faster, for what it has computed of a word it keeps for good.
        """
        values = {name: w.copy() for name, w in self.parameters.items()}
        for w in values.values():
            w.flags.writeable = False
        model = self.with_parameters(values)
        return attrs.evolve(model, lexicon=model._new_lexicon())

    def afresh(self) -> Captioner:
        """This network without the words that it has met: rounding depends on those that came up together."""
        return attrs.evolve(self, lexicon=None)

    def loss(self, features: Array, captions: Ints) -> float:
        """The training loss, without dropout; see `loss_and_gradients`."""
        return float(self.evaluate(features, captions, backward=False)[0])

    def loss_and_gradients(
        self,
        features: Array,
        captions: Ints,
        rng: Rng | None = None,
        of: int | None = None,
        take: Take = _nothing,
    ) -> tuple[float, dict[str, Array]]:
        """The loss of a batch, and its gradient with respect to every parameter.

        Args:
            features: (N, F) image features.
            captions: (N, T) tokens, `<START> w1 .. wk <END> <NULL> ..`.
            rng: source of randomness for dropout and its like; None for none of it.
            of: what to divide by instead of N, for rows of a batch of so many.
            take: called with the gradients of a part of the network, by name, when they are there: the head's, then
                those of each recurrent layer from the top, then the rest.

        Returns:
            (loss, gradients): the sum over unmasked positions divided by N, and an array for each name in
            `parameters`, of the same shape.

        Raises:
            DataError: shapes, or tokens outside the vocabulary.
        """
        loss, gradients = self.evaluate(features, captions, rng, of, take)
        return float(loss), gradients

    def evaluate(
        self,
        features: Array,
        captions: Ints,
        rng: Rng | None = None,
        of: int | None = None,
        take: Take = _nothing,
        *,
        backward: bool = True,
    ) -> tuple[Scalar, dict[str, Array]]:
        """What `loss_and_gradients` is made of: the loss as a NumPy scalar of the parameters' own type, so
        that a complex step can pass through; without `backward`, no gradients.
        """
        features, captions = self._checked(features, captions)
        packing, wanted, counts = _targets(captions, self.vocabulary.null)
        h, tapes = self._hidden(features, captions, packing, rng)
        n, dh, rows = of or len(captions), np.empty_like(h), self._head_rows
        dscores = np.empty((min(rows, len(h)), len(self.vocabulary)), h.dtype)
        total: Scalar = h.dtype.type(0)
        head: list[Params] = []
        for block in _slices(len(h), rows):
            scores, caches = self.head.forward(h[block], rng)
            dblock = dscores[: len(scores)] if backward else None
            total = total + self._loss(scores, wanted[block], counts[block], 1 / n, dblock)
            if dblock is not None:
                dh[block], grads = self.head.backward(dblock, caches)
                if head:
                    head = list(map(_add, head, grads))
                elif len(h) > rows:  # sums are arrays of our own: a layer may keep what it returns
                    head = [map_arrays(np.copy, grad) for grad in grads]
                else:
                    head = grads
                del grads
            del scores, caches  # else the next block's would come on top of them
        if not backward:
            return total / n, {}
        if not head:  # no position has a loss
            head = [map_arrays(np.zeros_like, link.params) for link in self.head]
        take(dict(named_chain("head", head)))
        return total / n, dict(self._backward(dh, head, tapes, packing, take).named())

    @property
    def _head_rows(self) -> int:
        row = len(self.vocabulary) * self.dtype.itemsize
        return min(HEAD_ROWS, max(LEAST_HEAD_ROWS, HEAD_BYTES // row))

    def _loss(
        self, scores: Array, targets: Ints, mask: Mask, scale: float, dscores: Array | None
    ) -> Scalar:
        """The sum of the loss over positions (M,), its gradient times `scale` written to dscores."""
        evaluate, rows = self.spec.train.loss.evaluate, max(1, LOSS_SIZE // scores.shape[1])
        blocks = _slices(len(scores), rows)

        def losses(mine: slice) -> list[Scalar]:
            found = []
            for block in blocks[mine]:
                loss, gradient = evaluate(scores[block], targets[block], mask[block])
                found.append(loss)
                if dscores is not None:
                    np.multiply(gradient, scale, out=dscores[block])
            return found

        shares = pieces(len(blocks), rows * scores.shape[1])
        found = together([partial(losses, share) for share in shares])
        return sum(itertools.chain(*found), start=scores.dtype.type(0))

    def nats(self, features: Array, captions: Ints) -> tuple[float, int]:
        """The negative log likelihood of captions, whatever the training loss is.

        Returns:
            (nats, tokens): summed over all unmasked positions, and their number; perplexity is
            exp(nats / tokens).
        """
        features, captions = self._checked(features, captions)
        packing, wanted, counts = _targets(captions, self.vocabulary.null)
        h, _ = self._hidden(features, captions, packing, None)
        total = 0.0
        for block in _slices(len(h), self._head_rows):
            scores, _ = self.head.forward(h[block], None)
            chosen = np.take_along_axis(log_softmax(scores), wanted[block, None], axis=1)[:, 0]
            total -= float(chosen[counts[block]].sum(dtype=np.float64))
        return total, int(np.count_nonzero(counts))

    def scores(self, features: Array, captions: Ints) -> Array:
        """Vocabulary scores (N, T - 1, V) after each token but the last; zero beyond a caption's end."""
        features, captions = self._checked(features, captions)
        packing, _, _ = _targets(captions, self.vocabulary.null)
        h, _ = self._hidden(features, captions, packing, None)
        return packing.unpack(self.head.forward(h, None)[0], captions.shape[1] - 1)

    def begin(self, features: Array) -> Remembered:
        """What the network remembers before the first word, from image features (N, F).

        Parameters must not change between this and the last `step` from it.
        """
        v, _ = self.image.forward(self._checked_features(features), None)
        shares = zip(self.levels, self._shares(self._initial(v)), strict=True)
        states = tuple(level.rnn.start(share) for level, share in shares)
        if self.inject == "pre":
            states, _ = self._advance(states, self._projected(0, v))
        return Remembered(states, v, self.lexicon or self._new_lexicon())

    def step(self, tokens: Ints, memory: Remembered) -> tuple[Array, Remembered]:
        """One token (n,) for each row of a memory -> log probabilities of the next (n, V), next memory."""
        x = memory.lexicon.rows(tokens)
        if self.inject == "par":
            x = self._projected(0, _beside(x, memory.image))
        states, h = self._advance(memory.states, x)
        if self.inject == "merge":
            h = _beside(h, memory.image)
        scores, _ = self.head.forward(h, None)
        log_probs = np.empty_like(scores)

        def normalize(part: slice) -> None:
            log_softmax(scores[part], out=log_probs[part])

        together([partial(normalize, part) for part in pieces(*scores.shape)])
        return log_probs, attrs.evolve(memory, states=states)

    def _advance(self, states: tuple[State, ...], x: Array) -> tuple[tuple[State, ...], Array]:
        """One step of all recurrent layers from projected inputs of the bottom one; the top one's output."""
        after: list[State] = []
        for i, (level, state) in enumerate(zip(self.levels, states, strict=True)):
            after.append(level.rnn.advance(x if i == 0 else self._projected(i, x), state))
            x = after[-1].h
        return tuple(after), x

    def _new_lexicon(self) -> Lexicon:
        def project(tokens: Ints) -> Array:
            x, _ = self.words.forward(tokens, None)
            return x if self.inject == "par" else self._projected(0, x)

        return Lexicon(project, len(self.vocabulary))

    def _projected(self, level: int, x: Array) -> Array:
        """The inputs of one recurrent layer, from what comes from below, as its `advance` takes them."""
        inputs, _ = self.levels[level].input.forward(x, None)
        return self.levels[level].rnn.project(inputs)

    def _hidden(
        self, features: Array, captions: Ints, packing: Packing, rng: Rng | None
    ) -> tuple[Array, _Tapes]:
        """What the head reads, packed (M, ..)."""
        tokens, rows = captions[packing.rows, packing.steps], None
        drawn = rng is not None and (self.words.random or self.levels[0].input.random)
        if not drawn and self.inject != "par":
            tokens, rows = np.unique(tokens, return_inverse=True)
        v, image = self.image.forward(features, rng)
        x, words = self.words.forward(tokens, rng)
        run, lead = packing, len(packing.order)
        if self.inject == "pre":
            run = packing.led()
            x = np.concatenate([packing.enter(v), x])
            rows = None if rows is None else np.concatenate([np.arange(lead), lead + rows])
        elif self.inject == "par":
            x = _beside(x, v[packing.rows])
        inputs, rnns = [], []
        for level, share in zip(self.levels, self._shares(self._initial(v)), strict=True):
            x, caches = level.input.forward(x, rng)
            x, tape = level.rnn.forward(x, packing.enter(share), run, rows)
            rows = None
            inputs.append(caches)
            rnns.append(tape)
        if self.inject == "pre":
            x = x[lead:]
        elif self.inject == "merge":
            x = _beside(x, v[packing.rows])
        return x, _Tapes(image, words, inputs, rnns)

    def _backward(
        self, dh: Array, head: list[Params], tapes: _Tapes, packing: Packing, take: Take
    ) -> Parts:
        inputs: list[list[Params]] = []
        rnns: list[Params] = []
        shares: list[Array] = []
        lead = len(packing.order)
        dv: Array
        if self.inject == "pre":
            dh = np.concatenate([np.zeros((lead, dh.shape[1]), dh.dtype), dh])
        elif self.inject == "merge":
            dh, each = np.split(dh, [self.levels[-1].hidden], axis=1)
            dv = sum_rows(each, packing.rows, packing.count)
        for level, caches, tape in reversed(
            list(zip(self.levels, tapes.inputs, tapes.rnns, strict=True))
        ):
            dh, dh0, rnn = level.rnn.backward(dh, tape)
            dh, chain = level.input.backward(dh, caches)
            rnns.insert(0, rnn)
            inputs.insert(0, chain)
            shares.insert(0, packing.leave(dh0))
            take(dict(named_level(len(self.levels) - len(rnns), chain, rnn)))
        if self.inject == "init":
            dv = np.concatenate(shares, axis=1)
        elif self.inject == "pre":
            dv, dh = packing.leave(dh[:lead]), dh[lead:]
        elif self.inject == "par":
            dh, each = np.split(dh, [self.words.links[-1].out_features], axis=1)
            dv = sum_rows(each, packing.rows, packing.count)
        _, words = self.words.backward(dh, tapes.words)
        _, image = self.image.backward(dv, tapes.image)
        take(dict(named_chain("image", image)) | dict(named_chain("words", words)))
        return Parts(image, words, inputs, rnns, head)

    @property
    def inject(self) -> Injection:
        """Where the image enters."""
        return self.spec.model.inject

    def _initial(self, v: Array) -> Array:
        """h0 of all recurrent layers, side by side."""
        if self.inject == "init":
            return v
        return np.zeros((len(v), sum(level.start for level in self.levels)), v.dtype)

    def _shares(self, h0: Array) -> list[Array]:
        ends = np.cumsum([level.start for level in self.levels])
        return np.split(h0, ends[:-1], axis=1)

    def _checked_features(self, features: Array) -> Array:
        if features.ndim != 2 or features.shape[1] != self.feature_width:
            raise DataError(
                f"the image features have shape {features.shape}, and this network takes "
                f"(N, {self.feature_width})"
            )
        return features.astype(self.dtype, copy=False)

    def _checked(self, features: Array, captions: Ints) -> tuple[Array, Ints]:
        features = self._checked_features(features)
        if captions.ndim != 2 or captions.shape[1] < 2 or len(captions) != len(features):
            raise DataError(
                f"the captions have shape {captions.shape}, and {len(features)} images want "
                f"({len(features)}, T) with T at least 2"
            )
        if captions.size and not 0 <= captions.min() <= captions.max() < len(self.vocabulary):
            raise DataError(
                f"the captions have tokens from {captions.min()} to {captions.max()}, and the vocabulary "
                f"goes from 0 to {len(self.vocabulary) - 1}"
            )
        return features, captions


@attrs.frozen
class _Tapes:
    """The caches of a forward pass."""

    image: list[Any]
    words: list[Any]
    inputs: list[list[Any]]
    rnns: list[Any]


def _beside(x: Array, v: Array) -> Array:
    return np.concatenate([x, v], axis=1)


def _targets(captions: Ints, null: int) -> tuple[Packing, Ints, Mask]:
    """The packing of captions, and packed (M,): the targets, and whether each has a loss."""
    targets = captions[:, 1:]
    mask = targets != null
    packing = Packing.of_mask(mask)
    at = packing.rows, packing.steps
    return packing, targets[at], mask[at]


def _add(sums: Params, grads: Params) -> Params:
    return map_arrays(lambda a, b: np.add(a, b, out=a), sums, grads)


def _slices(rows: int, size: int) -> list[slice]:
    return [slice(i, i + size) for i in range(0, rows, size)]
