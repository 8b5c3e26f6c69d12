"""MkDocs calls this for every page: `<!-- rnnkit: NAME ARGUMENT -->` becomes what the code says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from mkdocs.exceptions import PluginError
from rnnkit_docs import command_reference, plugin_reference, project_file, spec_reference

MARK: Final = re.compile(r"^<!-- rnnkit: (\w+) ?(.*?) -->$", re.MULTILINE)

MAKERS: Final[dict[str, Callable[[str], str]]] = {
    "commands": command_reference.markdown,
    "file": project_file.markdown,
    "kinds": plugin_reference.overview,
    "plugins": plugin_reference.markdown,
    "spec": spec_reference.markdown,
    "resolved": spec_reference.resolved,
}


def on_page_markdown(markdown: str, **context: Any) -> str:
    """The page with every mark replaced.

    Raises:
        PluginError: a mark has no such name.
    """

    def made(mark: re.Match[str]) -> str:
        if mark[1] not in MAKERS:
            raise PluginError(
                f"{context['page'].file.src_uri}: nothing is called {mark[1]!r} in {mark[0]}; "
                f"there is {', '.join(MAKERS)}"
            )
        return MAKERS[mark[1]](mark[2])

    return MARK.sub(made, markdown)
