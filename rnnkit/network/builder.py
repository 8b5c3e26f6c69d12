"""A spec and the sizes of its data -> a network, with every problem at the line it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data import Dataset
from rnnkit.errors import quoted
from rnnkit.kinds import Activation, Cell, DType, FreeStep, Initializer, Layer, Rng
from rnnkit.network import groups, room
from rnnkit.network.body import Body, Level
from rnnkit.network.chain import Chain, Elementwise, Link
from rnnkit.network.engine import recurrent_layer
from rnnkit.network.head import Head
from rnnkit.network.maps import misfits
from rnnkit.network.model import Captioner
from rnnkit.network.recurrence import Recurrence
from rnnkit.network.sizes import Sizes, as_spec, opened, sizes_of
from rnnkit.network.ties import tied
from rnnkit.registry.blame import culprit, wrong_return
from rnnkit.registry.returned import check_initializers, params, whole
from rnnkit.spec import ModelTable, Problem, RnnTable, Spec
from rnnkit.spec.places import Path as SpecPath
from rnnkit.spec.schema import Chain as ChainOption
from rnnkit.system.limits import WIDEST
from rnnkit.system.memory import memory, size

BESIDE: Final = ("par", "merge")
"""Where the image stands beside something else, and may be of any width."""


def build(
    spec: str | Path | Spec,
    data: str | Path | Dataset | None = None,
    overrides: Sequence[str] = (),
) -> Captioner:
    """Assemble the network of a spec, with initial parameters.

    Args:
        spec: a file, or a spec made or read before.
        data: a data folder, which gives the sizes; the spec's `data.path` if left open, or else the sizes
            in the spec.
        overrides: `path=value` texts that go over a file's values, as `--set` does.

    Raises:
        SpecError: the spec has mistakes, or its parts do not fit each other or the data.
        DataError: the data folder has.
    """
    spec = as_spec(spec, overrides)
    with opened(spec, data) as dataset:
        return assemble(spec, sizes_of(spec, dataset), begins=dataset is not None)


def assemble(spec: Spec, sizes: Sizes, *, begins: bool = False) -> Captioner:
    """Assemble the network for these sizes.

    Args:
        spec: of the network.
        sizes: of its data.
        begins: whether its initial parameters matter, so that initializers may look into files of theirs.

    Raises:
        SpecError: its parts do not fit each other, with a line for each place where they do not.
    """
    vocabulary = sizes.vocabulary.words if begins else ()
    fitter = _Fitter(np.random.default_rng(spec.model.seed), np.dtype(spec.model.dtype), vocabulary)
    table = spec.model
    starts = [
        whole(level.cell, "start_width", level.cell.start_width(level.hidden))
        for level in table.rnn
    ]
    place = _room_for_image(table, sum(starts), len(sizes.vocabulary))
    image = fitter.chain(
        table.image, ("model", "image"), sizes.features, place, open_end=table.inject in BESIDE
    )
    for misfit in misfits(table, image, sizes.map):
        fitter.wrong(*misfit)
    words = fitter.chain(table.words, ("model", "words"), len(sizes.vocabulary), None, tokens=True)
    levels, width = [], words[-1].out_features if words else 1
    beside = image[-1].out_features if image else sizes.features
    if table.inject == "par":
        width += beside
    for i, level in enumerate(table.rnn):
        path: SpecPath = ("model", "rnn", i)
        below, inputs = width, fitter.chain(level.input, (*path, "input"), width, None)
        width = inputs[-1].out_features if inputs else width
        levels.append((below, inputs, fitter.recurrence(level, path, width)))
        width = level.hidden
    if table.inject == "merge":
        width += beside
    head = fitter.chain(table.head, ("model", "head"), width, len(sizes.vocabulary))
    if words:
        head = fitter.tied(head, words)
    if spec.train.lazy and any(link.layer.ties for link in head):
        fitter.wrong(
            ("train", "lazy"),
            "every row of a tied embedding has a gradient, by the head; leave this out",
        )
    if fitter.problems:
        raise spec.origin.error(fitter.problems)
    made = Captioner(
        spec=_resolved(spec, sizes, image, words, [inputs for _, inputs, _ in levels], head),
        vocabulary=sizes.vocabulary,
        feature_width=sizes.features,
        map=sizes.map,
        length=sizes.length,
        body=Body(
            inject=table.inject,
            image=Chain(tuple(image)),
            words=Chain(tuple(words)),
            levels=tuple(
                Level(Chain(tuple(inputs)), rnn, below, row.hidden, start)
                for (below, inputs, rnn), row, start in zip(levels, table.rnn, starts, strict=True)
                if rnn is not None
            ),
        ),
        head=Head(Chain(tuple(head)), len(sizes.vocabulary)),
        notes=tuple(fitter.notes),
    )
    wrong = [Problem(*misfit) for misfit in groups.misfits(spec.train, tuple(made.parameters))]
    if wrong:
        raise spec.origin.error(wrong)
    return made


class _Fitter:
    """Fits widths together and draws initial parameters, part by part; notes what does not fit."""

    def __init__(self, rng: Rng, dtype: DType, vocabulary: Sequence[str]) -> None:
        self.rng = rng
        self.dtype = dtype
        self.vocabulary = vocabulary
        self.notes: list[str] = []
        self.problems: list[Problem] = []
        self.taken = 0

    def chain(
        self,
        parts: ChainOption,
        path: SpecPath,
        in_features: int,
        out_features: int | None,
        *,
        tokens: bool = False,
        open_end: bool = False,
    ) -> list[Link]:
        """Links for the parts of a chain.

        It must end in width `out_features`, if that is given; with an open end, it does if its parts leave
        that open.
        """
        links: list[Link] = []
        before = len(self.problems)
        if tokens and not parts:
            self.wrong(path, "the chain needs a layer that takes tokens, such as embedding")
        width = in_features
        for i, layer in enumerate(_fitted(parts, out_features)):
            place = (*path, i)
            if layer.tokens != (tokens and i == 0):
                self.wrong(
                    place,
                    "this layer takes tokens, but gets numbers here"
                    if layer.tokens
                    else "this layer takes numbers, but gets tokens here; begin with embedding",
                )
                break
            link = self.link(layer, width, place)
            if link is None:
                break
            links.append(link)
            width = link.out_features
        settled = open_end or out_features in (None, width)
        if len(self.problems) == before and not settled:
            self.wrong(
                path, f"the chain ends in width {width}, but must end in {out_features} here"
            )
        return links

    def tied(self, head: list[Link], words: list[Link]) -> list[Link]:
        """The links of the head with the parameters of the words' embedding that they share."""
        made = []
        for i, link in enumerate(tied(head, words)):
            if isinstance(link, Link):
                made.append(link)
            else:
                self.wrong(("model", "head", i), link)
        return made

    def link(self, layer: Layer[Any, Any, Any], width: int, place: SpecPath) -> Link | None:
        """A layer with initial parameters, or None if it cannot be had."""
        try:
            made = layer.out_features(width)
        except ValueError as e:  # it does not take this width
            self.wrong(place, str(e))
            return None
        after = whole(layer, "out_features", made)
        if not self.has_room(place, layer, width, after):
            return None
        check_initializers(layer, self.dtype)
        try:
            made = self.begun(layer).init(width, self.rng, self.dtype)
            return Link(layer, params(layer, made), width, after)
        except ValueError as e:
            self.wrong(place, culprit(e) or str(e))
        except MemoryError as e:
            self.wrong(place, f"the memory of this machine is not enough for it: {e}")
        return None

    def begun(self, layer: Layer[Any, Any, Any]) -> Layer[Any, Any, Any]:
        """The layer whose initializers know the words, if it takes tokens.

        Raises:
            ValueError: they cannot.
        """
        if not self.vocabulary or not layer.tokens:
            return layer
        fields = attrs.fields_dict(type(layer))  # type: ignore[arg-type]  # all plugins are attrs classes
        own = {name: getattr(layer, name) for name, field in fields.items() if field.init}
        known = {
            fields[name].alias or name: init.for_words(self.vocabulary)
            for name, init in own.items()
            if isinstance(init, Initializer)
        }
        self.notes += [init.told for init in known.values() if init.told]
        made: Layer[Any, Any, Any] = attrs.evolve(layer, **known)  # type: ignore[misc]  # as above
        return made

    def recurrence(
        self, table: RnnTable, path: SpecPath, in_features: int
    ) -> Recurrence[Any, Any, Any] | None:
        """The recurrence of one `[[model.rnn]]`, or None if its options do not fit its cell."""
        cell = table.cell
        given = [k for k in ("input_weights", "recurrent_weights") if getattr(table, k) is not None]
        if isinstance(cell, Cell | FreeStep) and given:
            for key in given:
                self.wrong(
                    (*path, key),
                    "a free-form cell fills its own weights: set this among the options of the cell",
                )
            return None
        pairs = table.hidden * max(in_features, table.hidden)
        numbers = (
            room.of_recurrence(cell, in_features, table.hidden, self.dtype)
            if pairs > room.WORTH
            else 0
        )
        if not self.may_take((*path, "hidden"), numbers):
            return None
        check_initializers(cell, self.dtype)
        try:
            return recurrent_layer(
                cell,
                in_features,
                table.hidden,
                self.rng,
                self.dtype,
                input_weights=table.input_weights,
                recurrent_weights=table.recurrent_weights,
            )
        except ValueError as e:
            self.wrong((*path, "cell"), culprit(e) or str(e))
        except MemoryError as e:
            self.wrong(path, f"the memory of this machine is not enough for it: {e}")
        return None

    def has_room(
        self, place: SpecPath, layer: Layer[Any, Any, Any], width: int, after: int
    ) -> bool:
        """Whether a layer of these widths may be made; it is told if not."""
        if after > WIDEST:
            self.wrong(place, f"its outputs have width {quoted(after)}, but {WIDEST:,} is the most")
            return False
        if width * after <= room.WORTH:
            return True
        return self.may_take(place, room.of_layer(layer, width, self.dtype))

    def may_take(self, place: SpecPath, numbers: int) -> bool:
        """Whether there is memory for so many parameters more; it is told if not."""
        wanted, there = numbers * self.dtype.itemsize, memory()
        self.taken += wanted
        if self.taken <= there:
            return True
        self.wrong(
            place,
            f"its {numbers:,} parameters take {size(wanted)}, and the network {size(self.taken)} up to here, but "
            f"the memory of this machine is {size(there)}; choose a smaller width",
        )
        return False

    def wrong(self, path: SpecPath, text: str) -> None:
        self.problems.append(Problem(path, text))


def _fitted(parts: ChainOption, width: int | None) -> list[Layer[Any, Any, Any]]:
    """The layers of a chain, with the width it must end in given to the last layer that leaves it open."""
    layers = [Elementwise(p) if isinstance(p, Activation) else p for p in parts]
    if width is not None:
        for i in reversed(range(len(layers))):
            fitted = layers[i].fit(width)
            if not isinstance(fitted, Layer):
                raise wrong_return(layers[i], "fit", fitted, "a layer")
            if fitted != layers[i]:
                layers[i] = fitted
                break
            if not _keeps(layers[i], width):
                break
    return layers


def _room_for_image(table: ModelTable, start: int, vocabulary: int) -> int | None:
    """The width that the image chain should end in, for where the image enters."""
    if table.inject == "init":
        return start
    if table.inject == "merge":
        return table.rnn[-1].hidden
    width = vocabulary
    try:
        for layer in _fitted(table.words, None):
            width = layer.out_features(width)
    except ValueError:  # it will be told when the chain is made
        return None
    return width


def _keeps(layer: Layer[Any, Any, Any], width: int) -> bool:
    """Whether what goes into the layer may have the width that comes out."""
    try:
        return layer.out_features(width) == width
    except ValueError:
        return False


def _resolved(
    spec: Spec,
    sizes: Sizes,
    image: list[Link],
    words: list[Link],
    inputs: list[list[Link]],
    head: list[Link],
) -> Spec:
    """The spec with everything that was left open filled in."""

    def plugins(links: list[Link]) -> ChainOption:
        return tuple(link.plugin for link in links)

    rnn = tuple(
        attrs.evolve(row, input=plugins(links))
        for row, links in zip(spec.model.rnn, inputs, strict=True)
    )
    return attrs.evolve(
        spec,
        data=attrs.evolve(
            spec.data,
            features=sizes.features,
            vocabulary=len(sizes.vocabulary),
            length=sizes.length,
        ),
        model=attrs.evolve(
            spec.model, image=plugins(image), words=plugins(words), head=plugins(head), rnn=rnn
        ),
        caption=attrs.evolve(spec.caption, length=spec.caption.length or sizes.length - 1),
    )
