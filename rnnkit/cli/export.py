"""`rnnkit export` and `rnnkit import`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import DataFolder, Force, Overrides, SpecFile
from rnnkit.system.process import settle
from rnnkit.system.terminal import say

_SERVE: Final = "put it on any web host; here, python -m http.server --directory {} shows it"


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
        Path | None,
        typer.Argument(
            help="What to write: .onnx is the whole captioner, .safetensors the weights alone.",
            metavar="OUT",
            show_default=False,
        ),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(
            "--beam",
            metavar="K",
            min=1,
            help="In ONNX, search with a beam of width K; else greedy.",
        ),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(
            "--length-penalty",
            metavar="A",
            min=0.0,
            help="Of the beam; that of the spec's beam if not given.",
        ),
    ] = None,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts",
            help="In ONNX, write begin.onnx and step.onnx into the folder OUT, for a search of your own.",
        ),
    ] = False,
    encoder: Annotated[
        bool,
        typer.Option(
            "--encoder/--no-encoder",
            help="Take pixels in ONNX, where the model's encoder is a network in ONNX; or features.",
        ),
    ] = True,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Compare on images of this data folder, too; of the model's own, if it is there.",
        ),
    ] = None,
    layout: Annotated[
        Layout,
        typer.Option(
            "--layout", help="Of weights: names, order of gates and biases as in this library."
        ),
    ] = Layout.torch,
    web: Annotated[
        Path | None,
        typer.Option(
            "--web",
            metavar="DIR",
            help="Write a folder of static files instead: a page that captions photos in the visitor's browser.",
        ),
    ] = None,
    runtime: Annotated[
        Path,
        typer.Option(
            "--runtime",
            metavar="DIR",
            help="For --web, the folder dist of the npm package onnxruntime-web.",
        ),
    ] = Path("node_modules/onnxruntime-web/dist"),
    force: Force = False,
) -> None:
    """Write a model in a form that other programs read."""
    settle()
    from functools import partial

    from rnnkit.captioning.exporting import export_onnx, export_web, write_torch
    from rnnkit.captioning.own_data import some_features
    from rnnkit.cli import show
    from rnnkit.errors import SpecError
    from rnnkit.network.checkpoint import load_model
    from rnnkit.system.outputs import ONNX, SAFETENSORS, check_output

    note = partial(say, err=True)
    if (out is None) == (web is None):
        raise SpecError("name one file to write, such as captioner.onnx; or a folder, with --web")
    if beam is not None and (parts or web is not None):
        raise SpecError(
            "--beam is for the file of a whole captioner: of --parts, the search is yours, and the page of --web has one"
        )
    if web is not None:
        with show.working("exporting"):
            difference = export_web(model, web, runtime, data, note)
        say(f"wrote {web}: {_SERVE.format(web)}")
        say(f"compared with ONNX Runtime: largest difference {difference:.1e}")
        return
    assert out is not None  # by the check above
    weights = out.suffix == ".safetensors"
    if weights and (data is not None or beam is not None or length_penalty is not None):
        raise SpecError(
            f"--data, --beam and --length-penalty are for ONNX; {out} has weights alone"
        )
    if not parts:
        check_output(out, SAFETENSORS if weights else ONNX, (model,), force=force)
    found = load_model(model)
    if weights:
        write_torch(found, out)
        say(f"wrote {out}")
        return
    if not parts and out.suffix != ".onnx":
        raise SpecError(
            f"{out} is not the name of a file to export to: end it in .onnx or .safetensors, or give --parts for a folder"
        )
    with show.working("exporting"):
        exported = export_onnx(
            found,
            out,
            beam=beam,
            length_penalty=length_penalty,
            encoder=encoder,
            parts=parts,
            features=some_features(found, data, note),
            note=note,
        )
    say(str(exported))


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
    force: Force = False,
    overrides: Overrides = None,
) -> None:
    """Make a model of a spec with weights that PyTorch has trained; the words are those of the data."""
    settle()
    from rnnkit.captioning.exporting import import_torch
    from rnnkit.errors import CheckpointError
    from rnnkit.system.outputs import MODEL, check_output

    if out is None:  # which may be the model that the weights were exported from
        out = weights.with_suffix(".h5")
        if out.exists() and not force:
            raise CheckpointError(
                f"{out} exists, and is not overwritten; name another file with --out, or give --force"
            )
    check_output(out, MODEL, (weights, spec), force=force)
    import_torch(weights, spec, out, data, _pairs(rename or ()), overrides or ())
    say(f"wrote {out}")


def _pairs(texts: Sequence[str]) -> list[tuple[str, str]]:
    from rnnkit.errors import SpecError

    pairs = [text.split("=") for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if len(pair) != 2 or not all(pair):
            raise SpecError(f"--rename {text}: write OLD=NEW, as in embed=words.0")
    return [(old, new) for old, new in pairs]
