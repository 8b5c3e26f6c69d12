"""Why nonsense is accepted: a sentence for each sort of it. What has none here must not be accepted."""

from __future__ import annotations

import re
from typing import Final

_REASONS: Final = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        # kind | command | what is wrong
        (
            r"plugins\|(plugins list|schema)\|",
            "others are listed, and the one that is wrong is named with its package",
        ),
        (r"plugins\|build .*base/spec\.toml", "the network has nothing of the plugin"),
    )
)


def reason_of(kind: str, call: str, label: str) -> str:
    """The sentence for an input that ended with 0; empty if there is none."""
    text = f"{kind}|{call}|{label}"
    return next((reason for pattern, reason in _REASONS if pattern.search(text)), "")
