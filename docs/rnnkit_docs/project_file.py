"""A file of the project's root as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

LINKS: Final = {"docs/": "", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""How links begin in the root, and in the site."""


def markdown(name: str) -> str:
    """Its text, with links from the root made links between pages."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for theirs, ours in LINKS.items():
        text = text.replace(f"]({theirs}", f"]({ours}")
    return text
