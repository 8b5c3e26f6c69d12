"""`rnnkit new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import cells, specs
from rnnkit.system.terminal import say


def new(
    spec: Annotated[
        Path | None,
        typer.Argument(metavar="SPEC", help="The file to write.", show_default=False),
    ] = None,
    cell: Annotated[
        str | None,
        typer.Option(
            "--cell",
            metavar="NAME",
            help="The recurrent cell, of any package.",
            autocompletion=cells,
        ),
    ] = None,
    start: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="NAME",
            help="The spec of rnnkit to begin with: see --list.",
            autocompletion=specs,
        ),
    ] = "scenes",
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="The data folder that the spec is to name."),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="List the specs to begin with, and write nothing.")
    ] = False,
) -> None:
    """Write a spec to start from, with what each key means; and a schema beside it, for your editor."""
    from rnnkit.cli import show
    from rnnkit.describing.json_schema import FILE
    from rnnkit.describing.new_spec import new_spec
    from rnnkit.spec.shipped import about, shipped
    from rnnkit.system.files import write_text_new

    if listing:
        rows = [(name, about(text)) for name, text in shipped().items()]
        show.print_table(show.console(), ["name", "what it is"], rows, ["what it is"])
        return
    if spec is None:
        raise typer.BadParameter("name the file to write, such as network.toml")
    write_text_new(spec, new_spec(start, cell, data))
    say(f"wrote {spec}")
    schema = spec.parent / FILE
    if not schema.exists():
        from rnnkit.cli.schema import text

        write_text_new(schema, text())
        say(f"wrote {schema}, by which editors complete and check the spec")
    say(f"\n  rnnkit build {spec}\n  rnnkit train {spec}")
