"""Rows of a batch do not see each other."""

from __future__ import annotations

from rnnkit.testing.example import Broken, Example, Leaves, copied
from rnnkit.testing.laws.running import close


def rows_are_independent(example: Example, outputs: Leaves) -> None:
    """A row computed alone is the row computed among others."""
    count = len(next(example.leaves[name] for name in example.rows))
    for row in range(count if count > 1 else 0):
        alone = {
            name: a[row : row + 1] if name in example.rows else a
            for name, a in example.leaves.items()
        }
        got, _ = example.forward(copied(alone))
        for name, y in outputs.items():
            if not close(got[name][0], y[row]):
                raise Broken(
                    "rows independent",
                    f"row {row} of {name!r} depends on the other rows of the batch",
                    "forward",
                )
