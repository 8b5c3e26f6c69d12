"""`rnnkit plugins new`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer


def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="cell, activation, layer, loss, optimizer, initializer, schedule or decoder.",
        ),
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What specs will call it, such as my-cell.")
    ],
    tier: Annotated[
        str | None,
        typer.Option(
            "--tier",
            metavar="gated|free",
            help="Of a cell. gated: you write pointwise maths, and the engine has the matrix products, which is "
            "fast. free: you have your own parameters and products. gated if not given.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to make; rnnkit-NAME if not given."),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Even if an installed plugin of that kind has this name."),
    ] = False,
) -> None:
    """Start a plugin of your own: a project to install, in which only the maths is left to write."""
    from rnnkit.registry import kind_called
    from rnnkit.registry.scaffold import new_project

    made = new_project(kind_called(kind), name, out, tier=tier, anyway=anyway)
    typer.echo(f"wrote {made.folder}:")
    for file in made.files:
        typer.echo(f"  {file}")
    lines = " and ".join(map(str, made.gaps))
    typer.echo(
        f"\nThe maths is left to write: {made.plugin}, line{'s'[: len(made.gaps) > 1]} {lines}.\n\n"
        f"  cd {shlex.quote(str(made.folder))}\n"
        f'  pip install -e ".[dev]"\n'
        f"  rnnkit gradcheck {made.names.spec_name}   # what is missing; then, whether it is right"
    )
