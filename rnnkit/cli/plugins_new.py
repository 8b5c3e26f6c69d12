"""`rnnkit plugins new`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import kinds
from rnnkit.system.terminal import say


def new(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="cell, activation, layer, loss, optimizer, initializer, schedule, decoder or encoder.",
            autocompletion=kinds,
        ),
    ],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its name in specs, such as my-cell.")
    ],
    tier: Annotated[
        str | None,
        typer.Option(
            "--tier",
            metavar="gated|free",
            help="For a cell. gated (the default): you write the pointwise maths, and the engine does the matrix "
            "products, which is fast. free: the cell has its own parameters and products.",
        ),
    ] = None,
    slots: Annotated[
        str,
        typer.Option(
            "--slots",
            metavar="h,c",
            help="For a cell: what its state has, h first. Each more than h begins at 0.",
            show_default=False,
        ),
    ] = "h",
    step_only: Annotated[
        bool,
        typer.Option(
            "--step-only",
            help="For a cell: you write the step alone, and rnnkit derives the step back.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="The folder to make; rnnkit-NAME if not given."),
    ] = None,
    anyway: Annotated[
        bool,
        typer.Option("--anyway", help="Allow a name that an installed plugin of that kind has."),
    ] = False,
) -> None:
    """Start a plugin of your own: a project to install, in which only the maths is left to write."""
    from rnnkit.registry import kind_called
    from rnnkit.registry.scaffold import new_project

    made = new_project(
        kind_called(kind),
        name,
        out,
        tier=tier,
        slots=_slots(slots),
        step_only=step_only,
        anyway=anyway,
    )
    say(f"wrote {made.folder}:")
    for file in made.files:
        say(f"  {file}")
    lines = " and ".join(map(str, made.gaps))
    say(
        f"\nNow write the maths: {made.plugin}, line{'s'[: len(made.gaps) > 1]} {lines}.\n\n"
        f"  cd {shlex.quote(str(made.folder))}\n"
        f'  pip install -e ".[dev]"\n'
        f"  rnnkit gradcheck {made.names.spec_name}   # says what is missing, then whether it is right"
    )


def _slots(text: str) -> list[str]:
    """`h,c` as names."""
    return [slot.strip() for slot in text.split(",")]
