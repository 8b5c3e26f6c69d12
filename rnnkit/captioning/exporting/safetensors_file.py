"""Weights in a safetensors file, with the words that they are for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from rnnkit.captioning.exporting.torch_layout import from_torch, to_torch
from rnnkit.data.vocabulary import Vocabulary
from rnnkit.errors import DataError, MissingPackage
from rnnkit.kinds import Array
from rnnkit.network.model import Captioner
from rnnkit.system.files import write_whole
from rnnkit.system.why import Refused, check_ordinary, what_is, why

WORDS = "words"
"""The entry of the file's metadata that has the words in the order of their tokens, as a JSON array."""


def write_torch(model: Captioner, file: Path) -> None:
    """Write the parameters as the state dict of a PyTorch module, whole or not at all.

    Raises:
        DataError: a cell or a layer has no module in PyTorch.
        CheckpointError: the file cannot be written.
        MissingPackage: safetensors is not installed.
    """
    library, tensors = _library(file), to_torch(model)
    words = json.dumps(list(model.vocabulary.words), ensure_ascii=False)
    data: bytes = library.save(tensors, {"format": "pt", WORDS: words})
    write_whole(file, lambda temporary: _write(temporary, data))


def read_torch(model: Captioner, file: Path, renamed: Sequence[tuple[str, str]] = ()) -> Captioner:
    """The network with the parameters of a state dict that PyTorch, or `write_torch`, has written.

    Args:
        model: built from a spec; its own parameters do not matter.
        file: to be read.
        renamed: (what a name begins with, what it is to begin with), such as ("embed", "words.0").

    Raises:
        DataError: the file cannot be read or is for other words; a tensor is missing, of another shape, or left
            over; or a cell or a layer has no module in PyTorch.
        MissingPackage: safetensors is not installed.
    """
    tensors, words = _read(file)
    if words is not None:
        _check_words(model.vocabulary, words, file)
    try:
        return from_torch(model, tensors, renamed)
    except DataError as e:
        raise DataError("\n".join(f"{file}: {line}" for line in str(e).splitlines())) from e


def _read(file: Path) -> tuple[dict[str, Array], str | None]:
    """The tensors, and the words if the file has them."""
    _library(file)
    from safetensors import SafetensorError, safe_open

    try:
        check_ordinary(file)
        with safe_open(file, framework="numpy") as opened:
            metadata: dict[str, str] = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # it is no dict
        for tensor in tensors.values():
            if tensor.dtype.kind == "V":  # another library has taught NumPy its name, but no more
                raise TypeError(tensor.dtype.name)
    except (SafetensorError, TypeError, KeyError, AttributeError) as e:
        raise DataError(f"{file} {_what_is_wrong(file, e)}") from e
    except Refused as e:
        raise DataError(f"{file} {e}") from e
    except OSError as e:
        raise DataError(why(e, file, "a safetensors file")) from e
    return tensors, metadata.get(WORDS)


def _what_is_wrong(file: Path, error: Exception) -> str:
    with file.open("rb") as handle:
        begin = handle.read(4096)
    if begin.startswith((b"PK\x03\x04", b"\x80")):
        return (
            "is not a safetensors file, but perhaps what torch.save writes; in PyTorch, write one with "
            "safetensors.torch.save_file(module.state_dict(), FILE)"
        )
    if not isinstance(error, TypeError | AttributeError | KeyError):
        what = what_is(begin)
        return f"is not a safetensors file: {f'it is {what}' if what else error}"
    return f"has tensors of a type that NumPy has not ({error}); convert them to float32 first"


def _check_words(vocabulary: Vocabulary, words: str, file: Path) -> None:
    try:
        other = Vocabulary.from_words(json.loads(words), str(file), vocabulary.joiner)
    except (ValueError, TypeError, RecursionError) as e:
        raise DataError(f"{file}: its words are no JSON array of texts: {e}") from e
    difference = vocabulary.difference(other)
    if difference:
        raise DataError(
            f"{file} is for other words than those of the data ({difference}); give the data whose words they are"
        )


def _library(file: Path) -> ModuleType:
    try:
        import safetensors.numpy
    except ImportError as e:
        raise MissingPackage(f'{file} needs safetensors: pip install "rnnkit[safetensors]"') from e
    return safetensors.numpy


def _write(file: Path, data: bytes) -> None:
    file.write_bytes(data)
