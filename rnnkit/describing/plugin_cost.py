"""What a cell or a layer costs at given sizes: its parameters, and the multiply-adds of its products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.describing.work import layer_work, step_work
from rnnkit.errors import RegistryError
from rnnkit.kinds import DType, Layer, Plugin, RecurrentCell, named_arrays
from rnnkit.network import recurrent_layer
from rnnkit.registry.options import option_types
from rnnkit.testing.variants import variants

CELL: Final = {"D": 256, "H": 512}
"""Default widths of the input and of the state."""

LAYER: Final = {"D": 384, "M": 384}
"""Default widths of the input and of the output, if the layer leaves that open."""

TOKENS: Final = {"V": 10000, "M": 384}
"""The same for a layer that takes tokens: V of them."""

SINGLE: Final[DType] = np.dtype(np.float32)


@attrs.frozen
class Cost:
    """What a plugin costs.

    Attributes:
        sizes: the widths that this is for, by their letters.
        assumed: values given to options that have no default.
        parameters: name and shape of each.
        multiply_adds: of the matrix products in the forward pass; None if it cannot be traced.
        per: what they are for: one step, or one position.
    """

    sizes: Mapping[str, int]
    assumed: Mapping[str, object]
    parameters: tuple[tuple[str, tuple[int, ...]], ...]
    multiply_adds: int | None
    per: str

    @property
    def count(self) -> int:
        """Number of parameters."""
        return sum(int(np.prod(shape)) for _, shape in self.parameters)


def cost(cls: type[Plugin], sizes: Mapping[str, int]) -> Cost | None:
    """The cost of a plugin with its default options; None for the kinds that have no parameters.

    Args:
        cls: the plugin class.
        sizes: widths by their letters, over the default ones: D and H of a cell; D and M of a layer, or V
            and M if it takes tokens.

    Raises:
        RegistryError: the kind has no such width.
        ValueError: the plugin cannot have these widths.
    """
    if issubclass(cls, Layer):
        known = TOKENS if cls.tokens else LAYER
    else:
        known = CELL if issubclass(cls, RecurrentCell) else {}
    for letter in sizes:
        if letter not in known:
            widths = f"has the widths {' and '.join(known)}" if known else "has no widths to set"
            raise RegistryError(f"there is no width {letter!r}: this {cls.noun} {widths}")
    if not known:
        return None
    given = {**known, **sizes}
    plugin = next(variants(cls)).plugin
    if isinstance(plugin, Layer):
        plugin = plugin.fit(given["M"])
        params, multiply_adds = _layer(plugin, given)
        given["M"] = plugin.out_features(_input_width(plugin, given))
    else:
        params, multiply_adds = _cell(plugin, given)
    return Cost(
        sizes=given,
        assumed=_assumed(plugin),
        parameters=tuple((name, a.shape) for name, a in named_arrays(params)),
        multiply_adds=multiply_adds,
        per="position" if isinstance(plugin, Layer) else "step",
    )


def _assumed(plugin: Any) -> dict[str, object]:
    """The options that have no default, as they are here."""
    fields = attrs.fields_dict(type(plugin))
    return {
        name: getattr(plugin, name)
        for name in option_types(type(plugin))
        if fields[name].default is attrs.NOTHING
    }


def _cell(cell: Any, sizes: Mapping[str, int]) -> tuple[Any, int | None]:
    D, H, rng = sizes["D"], sizes["H"], np.random.default_rng(0)
    made = recurrent_layer(cell, D, H, rng, SINGLE)
    x, h0 = np.zeros((1, D), SINGLE), np.zeros((1, cell.start_width(H)), SINGLE)
    return made.params, step_work(made, x, h0)


def _input_width(layer: Layer[Any, Any, Any], sizes: Mapping[str, int]) -> int:
    return sizes["V"] if layer.tokens else sizes["D"]


def _layer(layer: Layer[Any, Any, Any], sizes: Mapping[str, int]) -> tuple[Any, int | None]:
    width = _input_width(layer, sizes)
    params = layer.init(width, np.random.default_rng(0), SINGLE)
    x: Any = np.zeros(1, int) if layer.tokens else np.zeros((1, width), SINGLE)
    return params, layer_work(layer, params, x)
