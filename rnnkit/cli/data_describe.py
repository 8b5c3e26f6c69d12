"""`rnnkit data describe`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from rnnkit.system.process import settle

EncoderText: TypeAlias = Annotated[
    str,
    typer.Option(
        "--encoder",
        metavar="ENCODER",
        help="The encoder of the photos: efficientnet-lite0, or '{ use = \"onnx\", file = .. }'.",
    ),
]


def describe(
    folder: Annotated[Path, typer.Argument(help="A data folder.", metavar="DIR")],
    encoder: EncoderText,
) -> None:
    """Say which encoder made the features of a data folder, so that its models can caption photos."""
    settle()
    from rnnkit.cli import show
    from rnnkit.data.looking.describing import describe_features
    from rnnkit.kinds import Encoder
    from rnnkit.spec.reader import read_plugin

    with show.working("encoding photos of the folder"):
        checked = describe_features(folder, read_plugin(Encoder, encoder))
    console = show.console()
    if checked:
        console.print(f"the features of {checked} photos of {folder} are those of this encoder")
    else:
        show.warn(f"not checked: {folder} has no photos in images/ that its features are of")
    console.print(f"wrote {folder / 'encoder.json'}")
