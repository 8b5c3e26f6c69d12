"""`rnnkit plugins derive`."""

from __future__ import annotations

from typing import Annotated

import typer

from rnnkit.system.terminal import say


def derive(
    address: Annotated[
        str,
        typer.Argument(
            metavar="FILE::CLASS", help="A plugin class, as path/to/file.py::ClassName."
        ),
    ],
    write: Annotated[
        bool,
        typer.Option("--write", help="Write it into the file, in place of what is there."),
    ] = False,
) -> None:
    """Derive a plugin's gradient from its way forward, as source: of a cell its step back and what that needs."""
    from pathlib import Path

    from rnnkit.describing.derivation import derivation
    from rnnkit.describing.rewriting import Rewriting
    from rnnkit.errors import TraceError, listed
    from rnnkit.kinds.source import indented
    from rnnkit.system.files import write_text_whole
    from rnnkit.testing.source import class_at

    cls = class_at(address, whole=False)
    path, _, _ = address.partition("::")
    file = Path(path)
    made = derivation(cls)
    rewriting = Rewriting(file.read_text(encoding="utf-8"), made)
    other = ""
    if made.others:
        other = (
            f"{cls.__name__} computes something else with {listed(made.others)}, for which what is derived from the "
            "defaults is wrong"
        )
    if write and other:
        raise TraceError(f"{other}: nothing is written")
    if write:
        write_text_whole(file, rewriting.text())
        say(f"wrote {file}; now  rnnkit gradcheck {path}::{cls.__name__}")
        return
    base = rewriting.base()
    parts = [
        made.source.cache,
        f"class {cls.__name__}({base}):" if base else f"class {cls.__name__}:",
        f"    # {made.forward} ends in",
        indented(indented(rewriting.returned())),
        *([f"\n{indented(made.source.back)}"] if made.source.back else []),
    ]
    say("\n".join(part if i else part + "\n\n" for i, part in enumerate(parts) if part or i))
    if other:
        say(f"\nnote: {other}")
