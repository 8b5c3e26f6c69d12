"""One clause of a contract."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from rnnkit.kinds import Rng


@attrs.frozen
class Contract:
    """Something that must hold of a plugin.

    Attributes:
        id: says what, as `in place`.
        law: raises `Broken` if it does not hold, given a source of randomness.
    """

    id: str
    law: Callable[[Rng], None]
