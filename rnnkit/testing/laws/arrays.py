"""What outputs and gradients are made of: types, shapes, finite numbers."""

from __future__ import annotations

import numpy as np

from rnnkit.testing.example import Broken, Example, Leaves, Pass


def arrays_are_of(dtype: type, arrays: Leaves, blame: Pass = "backward") -> None:
    """Every array is one, and of the type that went in."""
    for what, a in arrays.items():
        if not isinstance(a, np.ndarray | np.generic) or a.dtype != dtype:
            got = getattr(a, "dtype", type(a).__name__)
            raise Broken("types", f"{what} is {got} where {np.dtype(dtype)} went in", blame)


def arrays_are_whole(what: str, arrays: Leaves) -> None:
    """Every array is of float64, which went in, and finite."""
    blame: Pass = "forward" if what == "output" else "backward"
    for name, a in arrays.items():
        arrays_are_of(np.float64, {f"{what} {name!r}": a}, blame)
        if not np.isfinite(a).all():
            raise Broken("finite", f"{what} {name!r} has values that are not finite", blame)


def gradients_fit_leaves(example: Example, gradients: Leaves) -> None:
    """One gradient for each leaf, of its shape."""
    for name, leaf in example.leaves.items():
        got = gradients.get(name)
        if got is None:
            raise Broken("shapes", f"there is no gradient of {name!r}")
        if np.shape(got) != leaf.shape:
            raise Broken("shapes", f"the gradient of {name!r} {_shapes(np.shape(got), leaf.shape)}")


def _shapes(got: tuple[int, ...], want: tuple[int, ...]) -> str:
    hint = ""
    if len(got) > len(want) and got[len(got) - len(want) :] == want:
        hint = ": a sum over the leading axis is missing (the leaf was broadcast over it)"
    elif got == want[::-1]:
        hint = ": it is transposed"
    elif len(got) < len(want):
        hint = ": there is a sum too many"
    return f"has shape {got}, not {want}{hint}"
