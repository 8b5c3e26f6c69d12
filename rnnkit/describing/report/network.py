"""The network as a diagram: the image on the left, words from top to bottom on the right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from rnnkit.describing.summary import Part, Summary
from rnnkit.kinds import GatedCell, GatedStep, Plugin
from rnnkit.network.chain import Chain
from rnnkit.network.model import Captioner
from rnnkit.registry import entry_of
from rnnkit.registry.labels import label


@attrs.frozen
class Box:
    """One part of the network.

    Attributes:
        name: prefix of its parameters' names.
        plugin: as a spec writes it, and its options.
        package: that provides it, with the version.
        shape: widths of its input and output.
        parameters: number of them, and their share in all.
        gates: of a recurrent layer's cell; empty for all others.
        recurrent: whether it is a recurrent layer.
    """

    name: str
    plugin: str
    options: str
    package: str
    shape: str
    parameters: int
    share: float
    gates: tuple[str, ...] = ()
    recurrent: bool = False


@attrs.frozen
class Row:
    """A part on the way of the words, and what comes from the image beside it.

    Attributes:
        box: the part.
        rail: whether what comes from the image goes on past it, further down.
        enters: what of the image enters here, in words; empty for nothing.
    """

    box: Box
    rail: bool
    enters: str


@attrs.frozen
class Other:
    """A plugin that is no part of the network: its role, itself with its options, and its package."""

    role: str
    plugin: str
    package: str


@attrs.frozen
class Network:
    """The diagram.

    Attributes:
        image: parts that features pass through.
        words: parts that each word passes through.
        rows: from there on, top to bottom: recurrent layers with what is before them, and the head.
        features: F.
        vocabulary: V.
        tokens: what these are: words or characters.
        others: what trains it and writes captions.
    """

    image: tuple[Box, ...]
    words: tuple[Box, ...]
    rows: tuple[Row, ...]
    features: int
    vocabulary: int
    tokens: str
    others: tuple[Other, ...]


def diagram(model: Captioner, summary: Summary) -> Network:
    """Lay the network out, part by part."""
    parts = {part.name: part for part in summary.parts}

    def boxes(name: str, chain: Chain) -> tuple[Box, ...]:
        return tuple(
            _box(parts[f"{name}.{i}"], link.plugin, summary) for i, link in enumerate(chain)
        )

    boxed: list[tuple[Box, str]] = []
    for i, level in enumerate(model.body.levels):
        inputs = boxes(f"rnn.{i}.input", level.input)
        cell = _box(parts[f"rnn.{i}"], model.spec.model.rnn[i].cell, summary)
        first = _enters_bottom(model) if i == 0 else ""
        start = f"h₀: {level.start:,} numbers" if model.body.inject == "init" else ""
        of_level = [(box, "") for box in inputs] + [(cell, start)]
        of_level[0] = (of_level[0][0], first or of_level[0][1])
        boxed += of_level
    head = [(box, "") for box in boxes("head", model.head.chain)]
    if head and model.body.inject == "merge":
        head[0] = (head[0][0], "beside every output")
    boxed += head
    return Network(
        image=boxes("image", model.body.image),
        words=boxes("words", model.body.words),
        rows=tuple(_rows(boxed)),
        features=model.feature_width,
        vocabulary=len(model.vocabulary),
        tokens="characters" if model.vocabulary.by_character else "words",
        others=tuple(_others(model)),
    )


def _enters_bottom(model: Captioner) -> str:
    return {"pre": "read before the first word", "par": "beside every word"}.get(
        model.body.inject, ""
    )


def _rows(boxed: Sequence[tuple[Box, str]]) -> Iterator[Row]:
    lowest = max((i for i, (_, enters) in enumerate(boxed) if enters), default=-1)
    for i, (box, enters) in enumerate(boxed):
        yield Row(box, rail=i < lowest, enters=enters)


def _box(part: Part, plugin: Plugin, summary: Summary) -> Box:
    name, _, options = label(plugin).partition("(")
    return Box(
        name=part.name,
        plugin=name,
        options=options.removesuffix(")"),
        package=f"{part.package} {part.version}",
        shape=f"{part.in_features:,} → {part.out_features:,}",
        parameters=part.parameters,
        share=part.parameters / max(summary.parameters, 1),
        gates=plugin.x_gates if isinstance(plugin, GatedCell | GatedStep) else (),
        recurrent=part.name.startswith("rnn.") and ".input." not in part.name,
    )


def _others(model: Captioner) -> Iterator[Other]:
    train = model.spec.train
    plugins: dict[str, Plugin] = {
        "loss": train.loss,
        "optimizer": train.optimizer,
        "schedule": train.schedule,
        "decoder": model.spec.caption.decoder,
    }
    for role, plugin in plugins.items():
        entry = entry_of(plugin)
        package = f"{entry.package} {entry.version}" if entry else "not installed"
        yield Other(role, label(plugin), package)
