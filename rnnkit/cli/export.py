"""`rnnkit export` and `rnnkit import`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import DataFolder, Overrides, SpecFile
from rnnkit.system.process import settle
from rnnkit.system.terminal import say


class Layout(StrEnum):
    """How weights are named and laid out."""

    torch = "torch"


def export(
    model: Annotated[
        Path,
        typer.Argument(
            help="A model file or a run's folder.", metavar="MODEL", autocompletion=runs
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="The file to write: .safetensors for the weights alone.", metavar="OUT"
        ),
    ],
    layout: Annotated[
        Layout,
        typer.Option(
            "--layout", help="Of weights: names, order of gates and biases as in this library."
        ),
    ] = Layout.torch,
) -> None:
    """Write a model in a form that other programs read."""
    settle()
    from rnnkit.captioning.exporting import write_torch
    from rnnkit.errors import SpecError
    from rnnkit.network.checkpoint import load_model

    if out.suffix != ".safetensors":
        raise SpecError(f"{out} is not the name of a file to export to: end it in .safetensors")
    write_torch(load_model(model), out)
    say(f"wrote {out}")


def import_weights(
    weights: Annotated[
        Path,
        typer.Argument(
            help="A state dict of PyTorch in a safetensors file.", metavar="WEIGHTS.safetensors"
        ),
    ],
    spec: SpecFile,
    data: DataFolder = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="The model file to write; WEIGHTS.h5 if not given."
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            "--rename",
            metavar="OLD=NEW",
            help="Take tensors whose names begin with OLD for those of NEW, as in embed=words.0. Repeatable.",
        ),
    ] = None,
    overrides: Overrides = None,
) -> None:
    """Make a model of a spec with weights that PyTorch has trained; the words are those of the data."""
    settle()
    from rnnkit.captioning.exporting import import_torch
    from rnnkit.errors import CheckpointError

    out = out or weights.with_suffix(".h5")
    if out.exists():
        raise CheckpointError(f"{out} exists, and is not overwritten; name another file with --out")
    import_torch(weights, spec, out, data, _pairs(rename or ()), overrides or ())
    say(f"wrote {out}")


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    from rnnkit.errors import SpecError

    pairs = [text.split("=") for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2 or not all(pair):
            raise SpecError(f"--rename {text}: write OLD=NEW, as in embed=words.0")
    return [(old, new) for old, new in pairs]
