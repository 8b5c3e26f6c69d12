"""Arguments and options that more than one command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from rnnkit.cli.completing import runs

SpecFile: TypeAlias = Annotated[Path, typer.Argument(help="A spec, in TOML.", metavar="SPEC")]
ModelFiles: TypeAlias = Annotated[
    list[Path],
    typer.Argument(
        help="A model file or a run's folder; several make an ensemble.",
        metavar="MODEL",
        autocompletion=runs,
    ),
]
ModelData: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="A data folder; the model's own if not given."),
]
SplitName: TypeAlias = Annotated[str, typer.Option("--split", help="Which split.")]
DataFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="A data folder; the spec's data.path if not given."),
]
Overrides: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Replace a value of the spec, as in train.epochs=3 or model.rnn[0].cell=gru. Repeatable.",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Force: TypeAlias = Annotated[
    bool,
    typer.Option("--force", help="Replace an output that exists, whatever is in it."),
]
DecoderText: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--decoder",
        metavar="DECODER",
        help="The decoder to use instead of the spec's: beam, or '{ use = \"beam\", width = 5 }'.",
    ),
]
