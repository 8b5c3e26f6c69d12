"""What the parameters of a cell or a layer are called and how they lie in PyTorch's module of the same kind."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.errors import DataError
from rnnkit.kinds import Array, Layer, Plugin, RecurrentCell
from rnnkit.registry import entry_of
from rnnkit.registry.labels import label, name_of

OWN: Final = "rnnkit"
"""The package whose plugins are known here; another one's of the same name may be anything."""


class Module(abc.ABC):
    """A module of PyTorch, as the place of a plugin's parameters."""

    @abc.abstractmethod
    def write(self, p: Mapping[str, Array]) -> dict[str, Array]:
        """The module's tensors, by name, from the plugin's parameters."""

    @abc.abstractmethod
    def read(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """The plugin's parameters, by name, from the module's tensors."""


@attrs.frozen
class Plain(Module):
    """Each parameter is a tensor, the matrices (in, out) transposed if the module has them (out, in).

    Attributes:
        tensors: parameter -> tensor.
        transposed: whether matrices are.
    """

    tensors: Mapping[str, str]
    transposed: bool = False

    def write(self, p: Mapping[str, Array]) -> dict[str, Array]:
        return {tensor: self._turned(p[own]) for own, tensor in self.tensors.items()}

    def read(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        return {own: self._turned(tensors[tensor]) for own, tensor in self.tensors.items()}

    def _turned(self, a: Array) -> Array:
        return a.T if self.transposed else a


@attrs.frozen
class Recurrent(Module):
    """`nn.RNN`, `nn.LSTM` or `nn.GRU` of one layer: rows gate by gate, and two biases for each gate.

        z = W_ih x + b_ih + W_hh h + b_hh

    Only the sum of the biases matters, but for gates whose b_hh something acts on.

    Attributes:
        own: the gates, in the order of the cell.
        theirs: the gates, in the order of the module.
        hidden_bias: gate -> the cell's parameter that is its b_hh.
    """

    own: tuple[str, ...]
    theirs: tuple[str, ...]
    hidden_bias: Mapping[str, str] = attrs.field(factory=dict)

    def write(self, p: Mapping[str, Array]) -> dict[str, Array]:
        zero = np.zeros(len(p["Wh"]), p["b"].dtype)
        of_hidden = [
            p[f"cell.{self.hidden_bias[g]}"] if g in self.hidden_bias else zero for g in self.theirs
        ]
        return {
            "weight_ih_l0": _moved(p["Wx"], self.own, self.theirs).T,
            "weight_hh_l0": _moved(p["Wh"], self.own, self.theirs).T,
            "bias_ih_l0": _moved(p["b"], self.own, self.theirs),
            "bias_hh_l0": np.concatenate(of_hidden),
        }

    def read(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        of_hidden = dict(
            zip(self.theirs, np.split(tensors["bias_hh_l0"], len(self.theirs)), strict=True)
        )
        b = _moved(tensors["bias_ih_l0"], self.theirs, self.own)
        H = len(b) // len(self.own)
        for k, gate in enumerate(self.own):
            if gate not in self.hidden_bias:
                b[k * H : (k + 1) * H] += of_hidden[gate]
        return {
            "Wx": _moved(tensors["weight_ih_l0"].T, self.theirs, self.own),
            "Wh": _moved(tensors["weight_hh_l0"].T, self.theirs, self.own),
            "b": b,
            **{f"cell.{name}": of_hidden[gate] for gate, name in self.hidden_bias.items()},
        }


class Clusters(Module):
    """`nn.AdaptiveLogSoftmaxWithLoss` with `head_bias=True`: the head, and two matrices for each cluster."""

    def write(self, p: Mapping[str, Array]) -> dict[str, Array]:
        return {self._theirs(own): a.T for own, a in p.items()}

    def read(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        return {self._own(tensor): a.T for tensor, a in tensors.items()}

    @staticmethod
    def _theirs(own: str) -> str:
        if not own.startswith("clusters."):
            return {"W": "head.weight", "b": "head.bias"}[own]
        _, i, matrix = own.split(".")
        return f"tail.{i}.{'PW'.index(matrix)}.weight"

    @staticmethod
    def _own(tensor: str) -> str:
        if not tensor.startswith("tail."):
            return {"head.weight": "W", "head.bias": "b"}[tensor]
        _, i, number, _ = tensor.split(".")
        return f"clusters.{i}.{'PW'[int(number)]}"


def _moved(a: Array, before: tuple[str, ...], after: tuple[str, ...]) -> Array:
    """A new array with the blocks of the last axis in another order."""
    blocks = np.split(a, len(before), axis=-1)
    return np.concatenate([blocks[before.index(gate)] for gate in after], axis=-1)


_LAYERS: Final[Mapping[str, Module]] = {
    "affine": Plain({"W": "weight", "b": "bias"}, transposed=True),
    "embedding": Plain({"W": "weight"}),
    "layer-norm": Plain({"gain": "weight", "bias": "bias"}),
    "adaptive-softmax": Clusters(),
    "tied": Plain({"W": "weight", "b": "bias"}),
}

_CELLS: Final[Mapping[str, Module]] = {
    "vanilla": Recurrent(("h",), ("h",)),
    "lstm": Recurrent(("i", "f", "o", "g"), ("i", "f", "g", "o")),
    "gru": Recurrent(("r", "u", "n"), ("r", "u", "n"), {"n": "bn"}),
}

_WHY_NOT: Final[Mapping[str, str]] = {
    "gru-reset-before": "PyTorch's GRU resets after the product, as the cell gru does",
    "peephole-lstm": "PyTorch's LSTM has no peepholes",
}


def module_of_layer(layer: Layer[Any, Any, Any], place: str) -> Module:
    """The module of a layer with parameters.

    Raises:
        DataError: PyTorch has none; with the layer's `place` in the network.
    """
    module = _LAYERS.get(_own_name(layer))
    if module is None:
        raise DataError(
            f"{place} is {name_of(layer)}, and of layers with parameters, only {', '.join(_LAYERS)} have a module "
            "in PyTorch"
        )
    return module


def module_of_cell(cell: RecurrentCell[Any, Any, Any], place: str) -> Module:
    """The module of a cell.

    Raises:
        DataError: PyTorch has none; with the cell's `place` in the network.
    """
    name = _own_name(cell)
    module = _CELLS.get(name)
    if module is None:
        why = _WHY_NOT.get(name, "PyTorch has no such cell")
        raise DataError(
            f"{place} is {name_of(cell)}, which has no module in PyTorch: {why}; only {', '.join(_CELLS)} have one"
        )
    activation = getattr(cell, "activation", None)
    if isinstance(activation, Plugin) and _own_name(activation) not in ("tanh", "relu"):
        raise DataError(f"{place} is {label(cell)}, and PyTorch's nn.RNN has only tanh and relu")
    return module


def _own_name(plugin: Plugin) -> str:
    """The name of a plugin of rnnkit's own; empty for others."""
    entry = entry_of(plugin)
    return entry.name if entry is not None and entry.package == OWN else ""
