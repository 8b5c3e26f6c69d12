"""What is before the head: image and words go through chains of their own, and meet in the recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeAlias

import attrs
import numpy as np

from rnnkit.kinds import Array, Ints, Rng, State, named_arrays
from rnnkit.network.chain import Chain
from rnnkit.network.needs import LevelNeeds, Needs, any_of, wanted_of
from rnnkit.network.packing import Packing
from rnnkit.network.parts import Made, named_chain, named_level
from rnnkit.network.recurrence import Recurrence
from rnnkit.numerics import sum_rows
from rnnkit.spec import Injection

Take: TypeAlias = Callable[[Mapping[str, Array]], None]
"""Takes gradients, by the names of their parameters."""


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


@attrs.frozen(eq=False)
class Body:
    """The network without its head.

    Attributes:
        inject: where the image enters.
        image: what its features pass through.
        words: what tokens pass through.
        levels: the recurrent layers, bottom to top.
    """

    inject: Injection
    image: Chain
    words: Chain
    levels: tuple[Level, ...]

    def forward(
        self, features: Array, captions: Ints, packing: Packing, rng: Rng | None
    ) -> tuple[Array, Tapes]:
        """What the head reads, packed (M, ..), and what `backward` needs."""
        tokens, rows = captions[packing.rows, packing.steps], None
        drawn = rng is not None and (self.words.random or self.levels[0].input.random)
        if not drawn and not self._mixed:
            tokens, rows = np.unique(tokens, return_inverse=True)
        v, image = self.image.forward(features, rng)
        x, words = self.words.forward(tokens, rng)
        run, lead, context = packing, len(packing.order), None
        if self.inject == "pre":
            run = packing.led()
            x = np.concatenate([packing.enter(v), x])
            rows = None if rows is None else np.concatenate([np.arange(lead), lead + rows])
        elif self._mixed:
            x = _beside(x, v[packing.rows])
        elif self._apart:
            context = packing.enter(v)
        inputs, rnns = [], []
        for level, share in zip(self.levels, self._shares(self._initial(v)), strict=True):
            x, caches = level.input.forward(x, rng)
            x, tape = level.rnn.forward(x, packing.enter(share), run, rows, context)
            rows = context = None
            inputs.append(caches)
            rnns.append(tape)
        if self.inject == "pre":
            x = x[lead:]
        elif self.inject == "merge":
            x = _beside(x, v[packing.rows])
        return x, Tapes(image, words, inputs, rnns)

    def needs(self, names: Collection[str] | None = None, features: bool = False) -> Needs:
        """What a backward pass must compute for these parameters, and for the image features if asked for."""
        wanted = partial(wanted_of, names)
        image = features or any_of(self.image, wanted, "image")
        words = any_of(self.words, wanted, "words")
        below = words or (image and self.inject in ("pre", "par"))
        levels: list[LevelNeeds] = []
        for i, level in enumerate(self.levels):
            own = [name for name, _ in named_arrays(level.rnn.params)]
            params = any(wanted(f"rnn.{i}.{name}") for name in own)
            reads = below or any_of(level.input, wanted, f"rnn.{i}.input")
            output = params or reads or (image and self.inject == "init")
            levels.append(LevelNeeds(output, params, reads, below))
            below = output
        head = below or (image and self.inject == "merge")
        return Needs(names, features, image, words, tuple(levels), head)

    def backward(
        self, dh: Array, tapes: Tapes, packing: Packing, take: Take, needs: Needs
    ) -> BodyGradients:
        """The gradients from that of what the head reads; `take` is given them part by part. Tapes are
        gone back through once.
        """
        inputs: list[list[Made]] = [[None] * len(level.input.links) for level in self.levels]
        rnns: list[Made] = [None] * len(self.levels)
        shares: list[Array] = []
        lead, wanted = len(packing.order), needs.wanted
        dv, features, dcontext = dh, dh, None  # stand for what nobody needs
        image: list[Made] = [None] * len(self.image.links)
        words: list[Made] = [None] * len(self.words.links)
        if self.inject == "pre":
            dh = np.concatenate([np.zeros((lead, dh.shape[1]), dh.dtype), dh])
        elif self.inject == "merge":
            dh, each = np.split(dh, [self.levels[-1].hidden], axis=1)
            dv = sum_rows(each, packing.rows, packing.count)
        for i in reversed(range(len(self.levels))):
            level, need = self.levels[i], needs.levels[i]
            if not need.output:
                break
            dh, dcontext, dh0, rnns[i] = level.rnn.some_back(
                dh, tapes.rnns[i], params=need.params, input=need.input, again=False
            )
            if need.input:
                dh, inputs[i] = level.input.backward(
                    dh, tapes.inputs[i], wanted, f"rnn.{i}.input", input=need.below
                )
            shares.insert(0, packing.leave(dh0))
            take(dict(named_level(i, inputs[i], rnns[i])))
        if needs.image and self.inject == "init":
            dv = np.concatenate(shares, axis=1)
        elif self.inject == "pre":
            dv, dh = packing.leave(dh[:lead]), dh[lead:]
        elif self._mixed:
            dh, each = np.split(dh, [self.words.links[-1].out_features], axis=1)
            dv = sum_rows(each, packing.rows, packing.count)
        elif dcontext is not None:
            dv = packing.leave(dcontext)
        if needs.words:
            _, words = self.words.backward(dh, tapes.words, wanted, "words", input=False)
        if needs.image:
            features, image = self.image.backward(
                dv, tapes.image, wanted, "image", input=needs.features
            )
        take(dict(named_chain("image", image)) | dict(named_chain("words", words)))
        return BodyGradients(features, image, words, inputs, rnns)

    def begin(self, features: Array) -> tuple[tuple[State, ...], Array]:
        """The state of every recurrent layer before the first word, from image features (N, F); and what every step
        reads of the image, if any does.
        """
        v, _ = self.image.forward(features, None)
        shares = zip(self.levels, self._shares(self._initial(v)), strict=True)
        states = tuple(level.rnn.start(share) for level, share in shares)
        if self.inject == "pre":
            states, _ = self._advance(states, self._projected(0, v))
        elif self._apart:
            v = self.levels[0].rnn.project_context(v)
        return states, v

    def project(self, tokens: Ints) -> Array:
        """What tokens (n,) bring to the bottom recurrent layer: all that can be computed without a state."""
        x, _ = self.words.forward(tokens, None)
        return x if self._mixed else self._projected(0, x)

    def step(
        self, x: Array, states: tuple[State, ...], v: Array
    ) -> tuple[tuple[State, ...], Array]:
        """One step from projected tokens: the next states, and what the head reads."""
        if self._mixed:
            x = self._projected(0, _beside(x, v))
        states, h = self._advance(states, x, v if self._apart else None)
        return states, _beside(h, v) if self.inject == "merge" else h

    def _advance(
        self, states: tuple[State, ...], x: Array, context: Array | None = None
    ) -> tuple[tuple[State, ...], Array]:
        """One step of all recurrent layers from projected inputs of the bottom one; the top one's output."""
        after: list[State] = []
        for i, (level, state) in enumerate(zip(self.levels, states, strict=True)):
            if i:
                x, context = self._projected(i, x), None
            after.append(level.rnn.advance(x, state, context))
            x = after[-1].h
        return tuple(after), x

    @property
    def context(self) -> int:
        """E, the width of what the bottom recurrent layer reads of the image at every step, projected once; 0 if it
        reads nothing of that kind.
        """
        words = self.words.links[-1].out_features
        return self.levels[0].rnn.in_features - words if self._apart else 0

    @property
    def _mixed(self) -> bool:
        """Whether the image is beside every word in a chain that the bottom recurrent layer's inputs pass through."""
        return self.inject == "par" and bool(self.levels[0].input.links)

    @property
    def _apart(self) -> bool:
        """Whether the image is beside every word, and nothing is between that and the bottom recurrent layer."""
        return self.inject == "par" and not self._mixed

    def _projected(self, level: int, x: Array) -> Array:
        """The inputs of one recurrent layer, from what comes from below, as its `advance` takes them."""
        inputs, _ = self.levels[level].input.forward(x, None)
        return self.levels[level].rnn.project(inputs)

    def _initial(self, v: Array) -> Array:
        """h0 of all recurrent layers, side by side."""
        if self.inject == "init":
            return v
        return np.zeros((len(v), sum(level.start for level in self.levels)), v.dtype)

    def _shares(self, h0: Array) -> list[Array]:
        ends = np.cumsum([level.start for level in self.levels])
        return np.split(h0, ends[:-1], axis=1)


@attrs.frozen
class Tapes:
    """The caches of a forward pass."""

    image: list[Any]
    words: list[Any]
    inputs: list[list[Any]]
    rnns: list[Any]


@attrs.frozen
class BodyGradients:
    """The gradients of the image features (N, F), if needed, and of the parameters before the head that are wanted."""

    features: Array
    image: list[Made]
    words: list[Made]
    inputs: list[list[Made]]
    rnns: list[Made]


def _beside(x: Array, v: Array) -> Array:
    return np.concatenate([x, v], axis=1)
