"""How one array looks at the memory of another: what is read there, and what is written."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnkit.tracing.recording import Recorder


class View:
    """How one array looks at the memory of another."""

    def of(self, value: Any) -> Any:
        """The view of an array."""
        raise NotImplementedError

    def read(self, recorder: Recorder[Any], base: int) -> int:
        """The node of what is seen."""
        raise NotImplementedError

    def written(self, recorder: Recorder[Any], base: int, node: int) -> int:
        """The node of the base after a node was written into the view."""
        raise NotImplementedError


class Indexed(View):
    """base[index], without arrays in the index."""

    def __init__(self, index: Any) -> None:
        self.index = index

    def of(self, value: Any) -> Any:
        return value[self.index]

    def read(self, recorder: Recorder[Any], base: int) -> int:
        return recorder.add("getitem", [base], index=self.index)

    def written(self, recorder: Recorder[Any], base: int, node: int) -> int:
        return recorder.add("setitem", [base, node], index=self.index)


class Reshaped(View):
    """base.reshape(shape)."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def of(self, value: Any) -> Any:
        return value.reshape(self.shape)

    def read(self, recorder: Recorder[Any], base: int) -> int:
        return recorder.add("reshape", [base], shape=self.shape)

    def written(self, recorder: Recorder[Any], base: int, node: int) -> int:
        return recorder.add("reshape", [node], shape=recorder.nodes[base].value.shape)


class Transposed(View):
    """base.transpose(axes)."""

    def __init__(self, axes: tuple[int, ...]) -> None:
        self.axes = axes

    def of(self, value: Any) -> Any:
        return value.transpose(self.axes)

    def read(self, recorder: Recorder[Any], base: int) -> int:
        return recorder.add("transpose", [base], axes=self.axes)

    def written(self, recorder: Recorder[Any], base: int, node: int) -> int:
        back = tuple(int(i) for i in np.argsort(self.axes))
        return recorder.add("transpose", [node], axes=back)
