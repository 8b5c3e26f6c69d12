"""The description of the interface for programs (OpenAPI 3.1)."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from rnnkit.system.version import __version__


def description() -> dict[str, Any]:
    """The document, with the version of the rnnkit that is installed."""
    file = resources.files("rnnkit.captioning.serving") / "openapi.json"
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    found["info"]["version"] = __version__
    return found
