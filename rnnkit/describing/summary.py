"""What a network is made of: each part with where it comes from, its size, and its work on one caption."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data import Dataset
from rnnkit.describing.work import context_work, layer_work, step_work
from rnnkit.errors import SpecError
from rnnkit.kinds import Array, Plugin, named_arrays
from rnnkit.network import Packing
from rnnkit.network.body import Level
from rnnkit.network.builder import build
from rnnkit.network.chain import Chain, Link
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import in_words
from rnnkit.registry import entry_of
from rnnkit.spec import Spec


@attrs.frozen
class Part:
    """One part of a network and its work on one caption of the greatest length.

    Attributes:
        name: prefix of its parameters' names.
        plugin: as a spec writes it.
        package: that provides the plugin; its version is `version`.
        in_features: width of its input.
        out_features: width of its output.
        parameters: number of them.
        multiply_adds: of the matrix products in the forward pass; the backward pass has twice as many; None if it
            cannot be traced.
        forward_bytes: parameters, and what the forward pass makes and keeps (outputs and caches).
        backward_bytes: gradients of the parameters and of the inputs.
    """

    name: str
    plugin: str
    package: str
    version: str
    in_features: int
    out_features: int
    parameters: int
    multiply_adds: int | None
    forward_bytes: int
    backward_bytes: int


@attrs.frozen
class Summary:
    """A network part by part, in the order of the forward pass, and the totals."""

    parts: tuple[Part, ...]
    steps: int

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return sum(part.parameters for part in self.parts)

    @property
    def multiply_adds(self) -> int | None:
        """Of the matrix products in the forward pass of one caption."""
        known = [part.multiply_adds for part in self.parts if part.multiply_adds is not None]
        return sum(known) if len(known) == len(self.parts) else None

    @property
    def forward_bytes(self) -> int:
        """Parameters, and what the forward pass of one caption makes and keeps."""
        return sum(part.forward_bytes for part in self.parts)

    @property
    def backward_bytes(self) -> int:
        """Gradients in the backward pass of one caption."""
        return sum(part.backward_bytes for part in self.parts)


@attrs.frozen
class Size:
    """A network in three numbers.

    Attributes:
        vocabulary: V.
        length: T, tokens of the longest caption, start and end included.
        parameters: number of them.
    """

    vocabulary: int
    length: int
    parameters: int


def size_in_words(spec: Spec, dataset: Dataset) -> Size | None:
    """The size that a spec over characters would have over words.

    None for a spec over words, or whose chains have widths that fit its characters alone.
    """
    if spec.data.tokens == "word":
        return None
    try:
        model = build(in_words(spec), dataset)
    except SpecError:
        return None
    return Size(len(model.vocabulary), model.length, model.size)


_MEASURED: Final = 256
"""Steps of a caption that is run, if it has more than twice as many."""


def summarize(model: Captioner) -> Summary:
    """Measure a network by running each part, forward and backward, on one caption of random numbers.

    Of a long caption, the beginning is run, and what each further step adds is counted for the rest.
    """
    steps = model.length - 1
    if steps <= 2 * _MEASURED:
        return Summary(tuple(_parts(model, steps)), steps)
    pairs = zip(_parts(model, _MEASURED), _parts(model, 2 * _MEASURED), strict=True)
    return Summary(tuple(_further(one, two, steps) for one, two in pairs), steps)


def _further(one: Part, two: Part, steps: int) -> Part:
    """A part over so many steps, by what it is over `_MEASURED` and over twice as many."""

    def at(first: int, second: int) -> int:
        return second + (second - first) * (steps - 2 * _MEASURED) // _MEASURED

    products = None
    if one.multiply_adds is not None and two.multiply_adds is not None:
        products = at(one.multiply_adds, two.multiply_adds)
    return attrs.evolve(
        two,
        multiply_adds=products,
        forward_bytes=at(one.forward_bytes, two.forward_bytes),
        backward_bytes=at(one.backward_bytes, two.backward_bytes),
    )


def _parts(model: Captioner, steps: int) -> Iterator[Part]:
    yield from _chain(model, "image", model.body.image, 1)
    yield from _chain(model, "words", model.body.words, steps)
    for i, level in enumerate(model.body.levels):
        yield from _chain(model, f"rnn.{i}.input", level.input, steps)
        width = level.input.links[-1].out_features if level.input.links else level.below
        yield _recurrence(model, i, level, width, steps + (model.body.inject == "pre"))
    yield from _chain(model, "head", model.head.chain, steps)


def _chain(model: Captioner, name: str, chain: Chain, positions: int) -> Iterator[Part]:
    for i, link in enumerate(chain):
        yield _link(model, f"{name}.{i}", link, positions)


def _link(model: Captioner, name: str, link: Link, positions: int) -> Part:
    layer, rng = link.layer, np.random.default_rng(0)
    x: Any = np.arange(positions) % link.in_features
    if not layer.tokens:
        x = rng.standard_normal((positions, link.in_features)).astype(model.dtype)
    alone = Chain((link,))
    y, caches = alone.forward(x, rng)
    kept = _bytes((y, caches), besides=(x, link.params))
    dx, dp = alone.backward(y, caches)
    return _part(
        name,
        link.plugin,
        (link.in_features, link.out_features),
        [a for own, a in named_arrays(link.params) if f"{name}.{own}" not in model.ties],
        layer_work(layer, link.params, x),
        kept,
        _bytes((dx, dp)),
    )


def _recurrence(model: Captioner, index: int, level: Level, width: int, steps: int) -> Part:
    rnn, rng = level.rnn, np.random.default_rng(0)
    wide = 0 if index else model.body.context
    x = rng.standard_normal((2 * steps, width - wide)).astype(model.dtype)
    context = rng.standard_normal((2, wide)).astype(model.dtype) if wide else None
    h0 = np.zeros((2, level.start), model.dtype)

    def forward(captions: int) -> tuple[Any, Any, int]:
        given = x[: captions * steps]
        packing = Packing.of_lengths(np.full(captions, steps))
        read = None if context is None else context[:captions]
        h, tape = rnn.forward(given, h0[:captions], packing, context=read)
        return h, tape, _bytes((h, tape), besides=(x, context, rnn.params, packing))

    # What a second caption adds: room that is there once, however many captions there are, is left out.
    kept = forward(2)[2] - forward(1)[2]
    h, tape, _ = forward(1)
    gradients = rnn.some_back(h, tape, params=True)
    read = None if context is None else context[:1]
    once = 0 if read is None else context_work(rnn, read)
    work = step_work(rnn, x[:1], h0[:1], read)
    return _part(
        f"rnn.{index}",
        model.spec.model.rnn[index].cell,
        (width, level.hidden),
        [a for _, a in named_arrays(rnn.params)],
        None if work is None or once is None else work * steps + once,
        kept,
        _bytes(gradients),
    )


def _part(
    name: str,
    plugin: Plugin,
    widths: tuple[int, int],
    arrays: Sequence[Array],
    multiply_adds: int | None,
    kept: int,
    gradients: int,
) -> Part:
    entry = entry_of(plugin)
    return Part(
        name=name,
        plugin=entry.spec_name if entry else type(plugin).__name__,
        package=entry.package if entry else type(plugin).__module__,
        version=entry.version if entry else "not installed",
        in_features=widths[0],
        out_features=widths[1],
        parameters=sum(a.size for a in arrays),
        multiply_adds=multiply_adds,
        forward_bytes=sum(a.nbytes for a in arrays) + kept,
        backward_bytes=gradients,
    )


def _bytes(value: object, besides: object = ()) -> int:
    """Bytes of all arrays inside a value, each piece of memory once, without those inside `besides`."""
    known = {id(owner) for owner in _owners(besides)}
    found = {id(owner): owner.nbytes for owner in _owners(value) if id(owner) not in known}
    return sum(found.values())


def _owners(value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """The arrays that own the memory of every array inside a value."""
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):
            value = value.base
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _owners(item)
    elif attrs.has(type(value)):
        yield from _owners(attrs.astuple(value, recurse=False))
