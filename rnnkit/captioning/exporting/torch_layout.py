"""A network's parameters as the state dict of a PyTorch module, and back.

    image.K.*, words.K.*, head.K.*    of part K of a chain, as in `nn.Sequential`
    inputs.I.K.*                      of the chain before recurrent layer I
    rnn.I.*                           of recurrent layer I: an `nn.RNN`, `nn.LSTM` or `nn.GRU` of one layer

A part without parameters, such as dropout or an activation, has no tensors, but counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import attrs
import numpy as np

from rnnkit.captioning.exporting.torch_modules import Module, module_of_cell, module_of_layer
from rnnkit.errors import DataError, listed
from rnnkit.kinds import Array, Params, named_arrays
from rnnkit.network.chain import Chain
from rnnkit.network.model import Captioner


@attrs.frozen
class _Place:
    """A module of the network: where PyTorch has its tensors, where rnnkit has its parameters."""

    theirs: str
    own: str
    module: Module
    params: Params

    def write(self) -> Iterator[tuple[str, Array]]:
        for name, tensor in self.module.write(dict(named_arrays(self.params))).items():
            yield f"{self.theirs}.{name}", np.ascontiguousarray(tensor)

    def read(self, tensors: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        mine = {
            name.removeprefix(f"{self.theirs}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{self.theirs}.")
        }
        for name, array in self.module.read(mine).items():
            yield f"{self.own}.{name}", array


def to_torch(model: Captioner) -> dict[str, Array]:
    """The parameters of a network as PyTorch names and lays them out.

    Returns:
        Name -> array. The biases of a gate stand in `bias_ih`, and `bias_hh` is 0, but for the new value of a GRU.

    Raises:
        DataError: a cell or a layer has no module in PyTorch.
    """
    return dict(tensor for place in _places(model) for tensor in place.write())


def from_torch(
    model: Captioner, tensors: Mapping[str, Array], renamed: Sequence[tuple[str, str]] = ()
) -> Captioner:
    """The network with the parameters of a state dict.

    Args:
        model: built from a spec; its own parameters do not matter.
        tensors: by name. Of `nn.LSTM(num_layers=2)` and the like, `rnn.*_l0` and `rnn.*_l1` are taken for `rnn.0`
            and `rnn.1`.
        renamed: (what a name begins with, what it is to begin with), such as ("embed", "words.0").

    Raises:
        DataError: a tensor is missing, of another shape, or left over; or a cell or a layer has no module in
            PyTorch.
    """
    places = list(_places(model))
    wanted = dict(tensor for place in places for tensor in place.write())
    given: dict[str, tuple[str, Array]] = {}
    faults = []
    for name, tensor in tensors.items():
        said, _ = given.setdefault(_unstacked(_renamed(name, renamed)), (name, tensor))
        if said != name:
            faults.append(
                f"the tensors {said!r} and {name!r} would both be {_renamed(name, renamed)!r}"
            )
    faults += _faults(wanted, given)
    if faults:
        raise DataError("\n".join(faults))
    arrays = {name: a.astype(wanted[name].dtype) for name, (_, a) in given.items()}
    values = dict(parameter for place in places for parameter in place.read(arrays))
    for own, of in model.ties.items():
        if not np.array_equal(values[own], values[of]):
            raise DataError(f"the spec ties {own} to {of}, but their tensors are not equal")
    return model.with_parameters({n: np.ascontiguousarray(a) for n, a in values.items()})


def _places(model: Captioner) -> Iterator[_Place]:
    body = model.body
    yield from _of_chain(body.image, "image", "image")
    yield from _of_chain(body.words, "words", "words")
    for i, (level, row) in enumerate(zip(body.levels, model.spec.model.rnn, strict=True)):
        yield from _of_chain(level.input, f"inputs.{i}", f"rnn.{i}.input")
        module = module_of_cell(row.cell, f"model.rnn[{i}].cell")
        yield _Place(f"rnn.{i}", f"rnn.{i}", module, level.rnn.params)
    yield from _of_chain(model.head.chain, "head", "head")


def _of_chain(chain: Chain, theirs: str, own: str) -> Iterator[_Place]:
    for k, link in enumerate(chain):
        if any(True for _ in named_arrays(link.params)):
            module = module_of_layer(link.layer, f"{own}.{k}")
            yield _Place(f"{theirs}.{k}", f"{own}.{k}", module, link.params)


def _renamed(name: str, renamed: Sequence[tuple[str, str]]) -> str:
    for old, new in renamed:
        if name == old or name.startswith(f"{old}."):
            return new + name.removeprefix(old)
    return name


def _unstacked(name: str) -> str:
    return re.sub(r"^rnn\.(\w+_[ih]h)_l(\d+)$", r"rnn.\2.\1_l0", name)


def _faults(wanted: Mapping[str, Array], given: Mapping[str, tuple[str, Array]]) -> Iterator[str]:
    over = [said for name, (said, _) in given.items() if name not in wanted]
    for name, array in wanted.items():
        if name not in given:
            others = f"; it has {listed(over)}, which nothing takes" if over else ""
            yield f"the tensor {name!r} {array.shape} is missing{others}"
            continue
        said, tensor = given[name]
        if tensor.shape != array.shape:
            yield f"the tensor {said!r} is {tensor.shape}, but the spec makes it {array.shape}"
        elif tensor.dtype.kind != "f":
            yield f"the tensor {said!r} is {tensor.dtype}, and must be floating-point numbers"
        elif not np.isfinite(tensor).all():
            yield f"the tensor {said!r} has numbers that are not finite"
    if over and wanted.keys() <= given.keys():
        yield f"nothing in the spec takes {', '.join(map(repr, over[:8]))}"
