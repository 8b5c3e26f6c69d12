"""Model files: one HDF5 file with the parameters, the resolved spec, the words, and who provided what.

attributes   rnnkit (format), version, spec (TOML), words (JSON), joiner (what stands between words; a blank
             if left out), provenance (JSON: package -> version)
parameters/  an array for each name of the flat view, "rnn.0.Wx" and so on
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import h5py
import numpy as np

from rnnkit.builder import Sizes, assemble
from rnnkit.data import Vocabulary
from rnnkit.data.vocabulary import BLANK
from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.files import write_whole
from rnnkit.kinds import Plugin
from rnnkit.model import Captioner
from rnnkit.registry import entry_of
from rnnkit.spec import parse_spec, write_spec
from rnnkit.version import __version__

FORMAT: Final = 1


def save_model(model: Captioner, file: str | Path) -> None:
    """Write a model file, whole or not at all.

    Raises:
        CheckpointError: it cannot be written; an older file is then left as it was.
        SpecError: a plugin of the model is not registered by any package, so no reader could find it.
    """
    attributes = {
        "rnnkit": FORMAT,
        "version": __version__,
        "spec": write_spec(model.spec, qualified=True),
        "words": json.dumps(list(model.vocabulary.words), ensure_ascii=False),
        "joiner": model.vocabulary.joiner,
        "provenance": json.dumps(dict(_provenance(model.spec))),
    }

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as h5:
            h5.attrs.update(attributes)
            for name, array in model.parameters.items():
                h5.create_dataset(f"parameters/{name}", data=array)

    write_whole(Path(file), write)


def load_model(file: str | Path) -> Captioner:
    """Read a model from its file, or from a run's folder (its `last.h5`).

    Raises:
        CheckpointError: there is none, it is damaged, or a plugin it needs is not installed.
    """
    file = Path(file)
    if file.is_dir():
        file = file / "last.h5"
    if not file.exists():
        raise CheckpointError(f"{file}: no such model file")
    try:
        with h5py.File(file) as h5:
            kept = dict(h5.attrs)
            if "rnnkit" not in kept:
                raise CheckpointError(f"{file}: an HDF5 file, but not a model of rnnkit")
            if kept["rnnkit"] != FORMAT:
                raise CheckpointError(
                    f"{file}: model format {kept['rnnkit']} of rnnkit {kept.get('version')}; "
                    f"this rnnkit {__version__} reads format {FORMAT}"
                )
            arrays = {name: np.asarray(array) for name, array in h5["parameters"].items()}
        model = _assembled(file, kept)
    except (OSError, KeyError, ValueError) as e:
        raise CheckpointError(
            f"{file}: not a whole model file ({str(e).partition(chr(10))[0]})"
        ) from e
    _fill(model, arrays, file)
    return model


def _assembled(file: Path, kept: dict[str, Any]) -> Captioner:
    try:
        spec = parse_spec(kept["spec"], name=f"{file}:spec")
        joiner = kept.get("joiner", BLANK)
        words = Vocabulary.from_words(json.loads(kept["words"]), str(file), joiner)
        sizes = Sizes(spec.data.features or 0, words, spec.data.length or 0)
        return assemble(spec, sizes)
    except RnnkitError as e:
        packages = [f"{p} {v}" for p, v in json.loads(kept["provenance"]).items()]
        raise CheckpointError(
            f"{file}: cannot be put together here; it was made with {', '.join(packages)}\n{e}"
        ) from e


def _fill(model: Captioner, arrays: dict[str, Any], file: Path) -> None:
    """Copy the arrays into the model's parameters."""
    for name, parameter in model.parameters.items():
        array = arrays.get(name)
        if array is None:
            raise CheckpointError(f"{file}: there is no parameter {name!r} in it")
        if array.shape != parameter.shape or array.dtype != parameter.dtype:
            raise CheckpointError(
                f"{file}: {name!r} is {array.dtype} {array.shape}, and its spec makes it "
                f"{parameter.dtype} {parameter.shape}"
            )
        parameter[...] = array


def _provenance(value: Any) -> Iterator[tuple[str, str]]:
    """Package and version behind each plugin of a spec, plugins inside plugins included."""
    if isinstance(value, tuple):
        for item in value:
            yield from _provenance(item)
    elif attrs.has(type(value)):
        entry = entry_of(value) if isinstance(value, Plugin) else None
        if entry:
            yield entry.package, entry.version
        for field in attrs.fields(type(value)):
            yield from _provenance(getattr(value, field.name))
