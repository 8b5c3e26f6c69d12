"""Templates of pages: they escape all texts, and know nothing that they were not given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rnnkit.system.version import __version__

if TYPE_CHECKING:
    import jinja2


def templates(package: str, folder: str = "templates") -> jinja2.Environment:
    """Those in a folder of a package. All know rnnkit's `version`."""
    import jinja2

    found = jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals.update(version=__version__)
    return found
