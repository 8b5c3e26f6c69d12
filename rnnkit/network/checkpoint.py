"""Model files: one HDF5 file with the parameters, the resolved spec, the words, and who provided what.

first bytes  a line with the digest of all that follows, so that damage is found before anything is read;
             HDF5 leaves these 512 bytes to us
texts        rnnkit (format), version, spec (TOML), words (JSON), joiner (what stands between words), cut
             (how captions are cut into them; "plain" where it is missing),
             provenance (JSON: package -> version), note (whatever was given to be kept beside the model),
             seen (JSON: the data it was trained on: folder, digests of features and captions; need not be there),
             encoder (JSON: what made its image features of photos; need not be there)
parameters/  an array for each name of the flat view, "rnn.0.Wx" and so on
map          (JSON), the sizes of the feature maps it takes, channels first, if it was built for maps
pca/         mean, components and scale of what reduced those features, if anything did
extra/       arrays that were given to be kept beside the model
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs
import numpy as np

from rnnkit.data import Vocabulary
from rnnkit.data.photos.identity import EncoderIdentity
from rnnkit.data.photos.pipeline import ImagePipeline
from rnnkit.data.seen import Seen
from rnnkit.data.vocabulary import PLAIN
from rnnkit.errors import CheckpointError, RnnkitError, listed
from rnnkit.kinds import Array, Plugin
from rnnkit.network.builder import assemble
from rnnkit.network.model import Captioner
from rnnkit.network.sizes import Sizes
from rnnkit.registry import entry_of
from rnnkit.registry.options import is_option
from rnnkit.spec import Spec, parse_spec, write_spec
from rnnkit.system.files import write_whole
from rnnkit.system.hdf5 import open_to_read, read, read_text, take, writing
from rnnkit.system.json_text import json_value
from rnnkit.system.version import __version__
from rnnkit.system.why import MODEL, Refused, check_ordinary, why

FORMAT: Final = 2

BEST: Final = "best.h5"
LAST: Final = "last.h5"
PREVIOUS: Final = "previous.h5"

_BLOCK: Final = 512
_MARK: Final = b"rnnkit model, blake2b of what follows: "


@attrs.frozen(eq=False)
class Kept:
    """What a model file holds, read and found whole, before a network is made of it.

    Attributes:
        file: where it stands.
        spec: the resolved spec, as TOML.
        parameters: by name.
        note: whatever was given to be kept beside the model, as JSON; empty if nothing was.
        extra: arrays that were given to be kept beside the model, by name.
        seen: what the model was trained on; None in files that do not say.
        pipeline: how its image features come from photos; None in files that do not say.
    """

    file: Path
    spec: str
    parameters: Mapping[str, Array]
    note: str
    extra: Mapping[str, Array]
    seen: Seen | None
    map: tuple[int, ...] | None
    pipeline: ImagePipeline | None
    _words: tuple[str, ...]
    _joiner: str
    _cut: str
    _provenance: Mapping[str, str]

    @property
    def vocabulary(self) -> Vocabulary:
        """Its words."""
        return Vocabulary.from_words(self._words, str(self.file), self._joiner, self._cut)

    def model(self, spec: Spec | None = None) -> Captioner:
        """The network, assembled of its own spec or of another one, with the parameters of the file.

        Raises:
            CheckpointError: a plugin it needs is not installed, or the parameters are not those of the spec.
            SpecError: the other spec's parts do not fit each other.
        """
        words = self.vocabulary
        if spec is not None:
            is_open = spec.data.features is None or spec.data.length is None
            own = self._own_spec() if is_open else spec
            model = assemble(spec, _sizes(spec, own, words, self.map))
        else:
            spec = self._own_spec()
            try:
                model = assemble(spec, _sizes(spec, spec, words, self.map))
            except RnnkitError as e:
                raise self._cannot_be_built(e) from e
        _fill(model, self.parameters, self.file)
        if self.pipeline is not None and self.pipeline.width != model.feature_width:
            raise CheckpointError(
                f"{self.file}: photos become features of width {self.pipeline.width} by its encoder and PCA, but its "
                f"network takes {model.feature_width}"
            )
        return attrs.evolve(model, seen=self.seen, pipeline=self.pipeline)

    def _own_spec(self) -> Spec:
        try:
            return parse_spec(self.spec, name=f"{self.file}:spec")
        except RnnkitError as e:
            raise self._cannot_be_built(e) from e

    def _cannot_be_built(self, error: RnnkitError) -> CheckpointError:
        packages = [f"{p} {v}" for p, v in self._provenance.items()]
        return CheckpointError(
            f"{self.file}: this model cannot be built here; it was made with {listed(packages)}\n{error}"
        )


def save_model(
    model: Captioner,
    file: str | Path,
    note: str = "",
    extra: Mapping[str, Array] | None = None,
    previous: Path | None = None,
) -> None:
    """Write a model file, whole or not at all.

    Args:
        model: its spec, words and parameters are written.
        file: an older one is replaced.
        note: a text to be kept beside it.
        extra: arrays to be kept beside it, by name.
        previous: where the file that is replaced goes on; nowhere if left open.

    Raises:
        CheckpointError: it cannot be written; an older file is then left as it was.
        SpecError: a plugin of the model is not registered by any package, so no reader could find it.
    """
    pipeline = model.pipeline
    texts = {
        "rnnkit": str(FORMAT),
        "version": __version__,
        "spec": write_spec(model.spec, qualified=True),
        "words": json.dumps(list(model.vocabulary.words), ensure_ascii=False),
        "joiner": model.vocabulary.joiner,
        "cut": model.vocabulary.cut,
        "provenance": json.dumps(dict(_provenance(model.spec))),
        "note": note,
        **({"map": json.dumps(model.map)} if model.map else {}),
        **({"seen": model.seen.text()} if model.seen else {}),
        **({"encoder": pipeline.identity.to_json()} if pipeline else {}),
    }

    def write(temporary: Path) -> None:
        with writing(temporary, userblock_size=_BLOCK) as h5:
            for name, text in texts.items():
                h5[name] = text
            for name, array in model.parameters.items():
                h5[f"parameters/{name}"] = array
            for name, array in (pipeline.arrays if pipeline else {}).items():
                h5[f"pca/{name}"] = array
            for name, array in (extra or {}).items():
                h5[f"extra/{name}"] = array
        with temporary.open("rb+") as handle:
            digest = _digest(handle)
            handle.seek(0)
            handle.write(_MARK + digest)

    write_whole(Path(file), write, previous)


def load_model(file: str | Path) -> Captioner:
    """Read a model from its file, or from a run's folder: its `best.h5`, or else its `last.h5`.

    Raises:
        CheckpointError: there is none, it is damaged, or a plugin it needs is not installed.
    """
    file = Path(file)
    if file.is_dir():
        file = file / (BEST if (file / BEST).exists() else LAST)
    return read_model_file(file).model()


def is_model(path: Path) -> bool:
    """Whether a path is that of a model file, or of a run's folder that has one."""
    if path.is_dir():
        return (path / BEST).exists() or (path / LAST).exists()
    try:
        _check_mark(path)
    except (OSError, ValueError, CheckpointError):
        return False
    return True


def read_model_file(file: Path) -> Kept:
    """Read all that is in a model file.

    Raises:
        CheckpointError: there is none, or it is damaged.
    """
    try:
        _check_digest(file)
        with open_to_read(file) as h5:
            if read_text(h5, "rnnkit") != str(FORMAT):
                raise CheckpointError(
                    f"{file}: model format {read_text(h5, 'rnnkit')} of rnnkit {read_text(h5, 'version')}; "
                    f"this rnnkit {__version__} reads format {FORMAT}"
                )
            names = set(h5)
            return Kept(
                file=file,
                spec=read_text(h5, "spec"),
                parameters=_arrays(h5, "parameters", file),
                note=read_text(h5, "note"),
                extra=_arrays(h5, "extra", file),
                seen=Seen.from_text(read_text(h5, "seen")) if "seen" in names else None,
                map=tuple(_json(h5, "map", list, int)) if "map" in names else None,
                pipeline=_pipeline(h5, file) if "encoder" in names else None,
                words=tuple(_json(h5, "words", list, str)),
                joiner=read_text(h5, "joiner"),
                cut=read_text(h5, "cut") if "cut" in names else PLAIN,
                provenance=_json(h5, "provenance", dict, str),
            )
    except (OSError, KeyError, ValueError, RuntimeError) as e:
        raise _incomplete(file, e) from e


def _pipeline(h5: Any, file: Path) -> ImagePipeline:
    named = EncoderIdentity.from_json(read_text(h5, "encoder"), f"{file}: encoder")
    identity = named.found_from(file.parent)
    return ImagePipeline.of(identity, _arrays(h5, "pca", file))


def read_note(file: Path) -> tuple[str, str]:
    """The spec of a model file, as TOML, and the note beside it; nothing else is read, nor is the digest checked.

    Raises:
        CheckpointError: it is none, or is cut off.
    """
    try:
        _check_mark(file)
        with open_to_read(file) as h5:
            return read_text(h5, "spec"), read_text(h5, "note")
    except (OSError, KeyError, ValueError, RuntimeError) as e:
        raise _incomplete(file, e) from e


def _incomplete(file: Path, error: Exception) -> CheckpointError:
    if isinstance(error, FileNotFoundError):
        return CheckpointError(f"{file}: no such model file")
    if isinstance(error, KeyError | ValueError) and not isinstance(error, Refused):
        return CheckpointError(f"{file}: not a complete model file ({error})")
    return CheckpointError(why(error, file, MODEL))


def _digest(handle: Any) -> bytes:
    """Of an open file, from behind the first block on, as hexadecimal digits."""
    handle.seek(_BLOCK)
    return hashlib.file_digest(handle, "blake2b").hexdigest().encode()


def _check_digest(file: Path) -> None:
    block = _check_mark(file)
    with file.open("rb") as handle:
        if block.rstrip(b"\0") != _MARK + _digest(handle):
            raise CheckpointError(
                f"{file}: damaged: its contents do not match its digest; write or copy it again"
            )


def _check_mark(file: Path) -> bytes:
    """The first block of a file, which begins as that of a model does."""
    check_ordinary(file)
    with file.open("rb") as handle:
        block = handle.read(_BLOCK)
    if not block.startswith(_MARK):
        if file.suffix == ".toml":
            raise CheckpointError(
                f"{file} is not a model of rnnkit; it is a spec: rnnkit train {file} makes a run, whose folder "
                "to give here"
            )
        raise CheckpointError(why(ValueError("it has no digest"), file, MODEL))
    return block


def _arrays(h5: Any, group: str, file: Path) -> dict[str, Array]:
    if group not in set(h5):
        return {}
    arrays = take(h5, group)
    if not isinstance(arrays, Mapping):
        raise Refused(f"has {group} as something else than a group; write or download it again")
    found, room = {}, file.stat().st_size
    for name in arrays:
        # Nothing is packed in a model file, so that no array is larger than the file.
        room -= getattr(take(arrays, name), "nbytes", 0)
        if room < 0:
            raise Refused(
                f"declares more numbers in {group} than the file has; write or download it again"
            )
        found[name] = np.asarray(read(arrays, name))
    return found


def _json(h5: Any, name: str, kind: type[Any], of: type[Any]) -> Any:
    """A list or an object of JSON, and of what."""
    value = json_value(read_text(h5, name))
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, kind) or not all(type(item) is of for item in items):
        raise Refused(
            f"has {name} as something else than rnnkit writes; write or download it again"
        )
    return value


def _sizes(spec: Spec, own: Spec, words: Vocabulary, of: tuple[int, ...] | None) -> Sizes:
    """Those of the spec; what it leaves open is that of the file's own."""
    width, length = (
        getattr(spec.data, name) or getattr(own.data, name) or 0 for name in ("features", "length")
    )
    return Sizes(width, words, length, of)


def _fill(model: Captioner, arrays: Mapping[str, Array], file: Path) -> None:
    """Copy the arrays into the model's parameters."""
    for name, parameter in model.parameters.items():
        array = arrays.get(name)
        if array is None:
            raise CheckpointError(f"{file}: the parameter {name!r} is missing")
        if array.shape != parameter.shape or array.dtype != parameter.dtype:
            raise CheckpointError(
                f"{file}: {name!r} is {array.dtype} {array.shape}, but its spec makes it "
                f"{parameter.dtype} {parameter.shape}"
            )
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{file}: {name!r} has numbers that are not finite: the file is damaged, or what it was trained "
                "with has overflowed"
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
        for field in filter(is_option, attrs.fields(type(value))):
            yield from _provenance(getattr(value, field.name))
