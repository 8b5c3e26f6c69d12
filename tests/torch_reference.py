"""What PyTorch computed; reference/make_torch_reference.py has the keys, and recorded them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Case: TypeAlias = dict[str, npt.NDArray[Any]]


@cache
def everything() -> Case:
    """Every array, by its whole key."""
    with np.load(Path(__file__).parent / "reference" / "torch_reference.npz") as file:
        return dict(file)


def cases(group: str) -> dict[str, Case]:
    """The cases of a group, such as "cells", each with its arrays by name."""
    found: dict[str, Case] = {}
    for key, array in everything().items():
        head, *middle, name = key.split("/")
        if head == group and middle:
            found.setdefault(middle[0], {})[name] = array
    return found


def parameters(case: Case, prefix: str) -> Case:
    """The arrays whose names begin with `prefix`, without it: "p." values, "d." gradients."""
    return {k.removeprefix(prefix): a for k, a in case.items() if k.startswith(prefix)}
