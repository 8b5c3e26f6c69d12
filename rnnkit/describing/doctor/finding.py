"""One line of what `rnnkit doctor` says."""

from __future__ import annotations

import attrs


@attrs.frozen
class Finding:
    """Something that was looked at.

    Attributes:
        name: what.
        value: how it is, in a line.
        advice: what to do about it, if anything is wrong or could be better.
    """

    name: str
    value: str
    advice: str | None = None
