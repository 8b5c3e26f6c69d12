"""`rnnkit schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.options import Force
from rnnkit.system.terminal import results, say


def schema(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write it here; it is printed if not given."),
    ] = None,
    force: Force = False,
) -> None:
    """Print the JSON Schema of specs with all installed plugins, by which editors complete and check them."""
    from rnnkit.system.files import write_text_whole
    from rnnkit.system.outputs import SCHEMA, check_output

    if out is None:
        print(text(), end="", file=results())
    else:
        check_output(out, SCHEMA, force=force)
        write_text_whole(out, text())
        say(f"wrote {out}")


def text() -> str:
    """The schema as JSON."""
    from rnnkit.describing.json_schema import spec_schema
    from rnnkit.system.json_text import json_text

    return json_text(spec_schema(), indent=1) + "\n"
