"""Reads the tensors of a PyTorch weights file in its old form, without PyTorch, and nothing but tensors.

The file: three pickles (magic number, protocol, machine), the state dict, the list of storage keys, then each
storage as an int64 count and raw little-endian numbers. A pickle may run any code, so of the names in this one only
those of tensors are looked up.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = npt.NDArray[np.float32 | np.int64]

_TYPES: Final = {"FloatStorage": "<f4", "LongStorage": "<i8"}
_MAGIC: Final = 0x1950A86A20F9469CFC6C
_PROTOCOL: Final = 1001


@attrs.frozen
class _Storage:
    key: str
    dtype: str


@attrs.frozen
class _Tensor:
    """A view of a storage: strides count numbers, and need not be those of a C array."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_weights(data: bytes) -> dict[str, Numbers]:
    """The tensors of a weights file, by name.

    Raises:
        ValueError: it is none, or there is anything but tensors in it.
    """
    file = io.BytesIO(data)
    try:
        head = [_Unpickler(file).load() for _ in range(3)]
        tensors, keys = _Unpickler(file).load(), _Unpickler(file).load()
    except (pickle.UnpicklingError, EOFError, IndexError, TypeError, AttributeError) as e:
        raise ValueError(f"it is not a weights file of PyTorch, or has more in it: {e}") from e
    if head[:2] != [_MAGIC, _PROTOCOL]:
        raise ValueError("it is not a weights file of PyTorch in its old form")
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        dtype = np.dtype(dtypes[key])
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    return {name: _view(tensor, storages) for name, tensor in tensors.items()}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., object] | str:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} is no tensor")

    def persistent_load(self, pid: tuple[str, str, str, str, int, None]) -> _Storage:
        _, type_name, key, *_ = pid
        return _Storage(key, _TYPES[type_name])


def _rebuild(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _view(tensor: _Tensor, storages: Mapping[str, Numbers]) -> Numbers:
    numbers = storages[tensor.storage.key][tensor.offset :]
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True))
    if min((*tensor.strides, 0)) < 0 or last >= len(numbers):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(numbers, tensor.shape, strides, writeable=False)
