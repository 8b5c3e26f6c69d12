"""Many photos to features: prepared on threads while others are encoded, and kept, so that no work is done twice.

Features are kept in blocks, a file each, which are there as a whole or not at all. Whoever is killed and started again
encodes what no block has.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

import attrs
import numpy as np

from rnnkit.data.photos.identity import EncoderIdentity, identity_of
from rnnkit.data.photos.opening import open_photo
from rnnkit.data.photos.pipeline import AT_ONCE, ENCODER
from rnnkit.data.photos.running import encoded, ready
from rnnkit.errors import DataError
from rnnkit.kinds import Array, Encoder, Prepared
from rnnkit.parallel import ALONE, Ranks
from rnnkit.system.cores import count
from rnnkit.system.files import write_text_whole, write_whole
from rnnkit.system.hdf5 import open_to_read, read_text, take, writing
from rnnkit.system.json_text import json_value

BLOCK: Final = 4 * AT_ONCE
"""Photos in a block: what is lost at most, by each process, when it is killed."""

Stamp: TypeAlias = tuple[int, int]
"""Size and time of change of a file."""


@attrs.frozen(eq=False)
class Encoded:
    """What has been made of photos.

    Attributes:
        places: of those that could be read: file and row of their features.
        failed: of the others: why not.
    """

    places: Mapping[Path, tuple[Path, int]]
    failed: Mapping[Path, str]

    def left(self, photos: Sequence[Path]) -> list[Path]:
        """Those of which nothing is known."""
        return [p for p in photos if p not in self.places and p not in self.failed]


def encode_photos(
    photos: Sequence[Path],
    encoder: Encoder,
    folder: Path,
    *,
    strict: bool = False,
    progress: Callable[[int, int], object] = lambda done, all: None,
    ranks: Ranks = ALONE,
) -> Encoded:
    """Encode those photos whose features are not in a folder yet.

    Args:
        photos: their paths, each once.
        encoder: that encodes them.
        folder: where features are kept; what another encoder, or another version of a photo, has left there does not
            count.
        strict: whether a photo that cannot be read is an error.
        progress: called with how many photos this process has encoded of how many, now and then.
        ranks: processes that share the photos, on one file system.

    Raises:
        DataError: a photo cannot be read, if `strict`.
        CheckpointError: the folder cannot be written.
    """
    identity = identity_of(encoder)
    ranks.first(partial(_begin, folder, identity))
    done = ranks.first(partial(_look, folder, photos))
    mine = done.left(photos)[ranks.rank :: ranks.size]
    ranks.each(partial(_encode, mine, encoder, folder, strict, progress))
    return ranks.first(partial(_look_at_all, folder, photos, strict))


def read_rows(encoded: Encoded, photos: Sequence[Path]) -> Iterator[tuple[list[int], Array]]:
    """The features of photos, block by block: (which of the photos, their rows)."""
    files: dict[Path, list[int]] = {}
    for number, photo in enumerate(photos):
        files.setdefault(encoded.places[photo][0], []).append(number)
    for file, numbers in files.items():
        with open_to_read(file) as h5:
            features = np.asarray(take(h5, "features"))
        yield numbers, features[[encoded.places[photos[number]][1] for number in numbers]]


def _begin(folder: Path, identity: EncoderIdentity) -> None:
    """Make the folder one of this encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    told = folder / ENCODER
    if told.exists():
        with contextlib.suppress(DataError):
            before = EncoderIdentity.from_json(told.read_text("utf-8"), str(told))
            if before.difference(identity) is None:
                return
    for block in folder.glob("*.h5"):
        block.unlink()
    write_text_whole(told, identity.to_json())


def _look(folder: Path, photos: Sequence[Path]) -> Encoded:
    """What the blocks of a folder have of these photos, as they are now."""
    wanted = {str(photo): photo for photo in photos}
    places: dict[Path, tuple[Path, int]] = {}
    failed: dict[Path, str] = {}
    for file in sorted(folder.glob("*.h5")):
        try:
            with open_to_read(file) as h5:
                told = json_value(read_text(h5, "photos"))
        except (OSError, KeyError, ValueError, RuntimeError):
            continue  # damaged: its photos are encoded again
        row = 0
        for name, stamp, why in told:
            photo = wanted.get(name)
            if photo is not None and _stamp(photo) == tuple(stamp):
                if why is None:
                    places[photo] = file, row
                else:
                    failed[photo] = why
            row += why is None
    return Encoded(places, failed)


def _look_at_all(folder: Path, photos: Sequence[Path], strict: bool) -> Encoded:
    """The same, when all have been encoded: what is not there has changed since."""
    found = _look(folder, photos)
    changed = {photo: f"{photo} has changed while it was read" for photo in found.left(photos)}
    if strict and changed:
        raise DataError(next(iter(changed.values())))
    return attrs.evolve(found, failed={**found.failed, **changed})


def _stamp(photo: Path) -> Stamp:
    """What changes when a photo does; zeros if it is not there."""
    try:
        found = photo.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


@attrs.frozen(eq=False)
class _Ready:
    """A photo as the encoder takes it, or why it cannot be read."""

    photo: Path
    stamp: Stamp
    prepared: Prepared | None
    why: str | None


def _encode(
    photos: Sequence[Path],
    encoder: Encoder,
    folder: Path,
    strict: bool,
    progress: Callable[[int, int], object],
) -> None:
    ready = _prepared(photos, encoder)
    done = 0
    progress(done, len(photos))
    with contextlib.closing(ready):
        while block := list(_encoded_block(ready, encoder, strict)):
            rows = [row for _, features in block for row in features]
            told = [(str(r.photo), r.stamp, r.why) for some, _ in block for r in some]
            name = f"{os.urandom(8).hex()}.h5"  # of several processes, and of others before
            write_whole(folder / name, partial(_write, told=told, rows=rows))
            done += len(told)
            progress(done, len(photos))


def _encoded_block(
    ready: Iterator[_Ready], encoder: Encoder, strict: bool
) -> Iterator[tuple[list[_Ready], Array]]:
    """Up to a block of photos, some at a time, with the features of those that can be read."""
    for _ in range(BLOCK // AT_ONCE):
        some = list(islice(ready, AT_ONCE))
        if not some:
            return
        why = next((r.why for r in some if r.why is not None), None)
        if strict and why is not None:
            raise DataError(why)
        rows = [r.prepared for r in some if r.prepared is not None]
        features = encoded(encoder, rows) if rows else np.empty((0, *encoder.shape))
        yield [attrs.evolve(r, prepared=None) for r in some], features


def _write(file: Path, told: object, rows: Sequence[Array]) -> None:
    with writing(file) as h5:
        h5["photos"] = json.dumps(told)
        if rows:
            h5["features"] = np.stack(rows)


def _prepared(photos: Sequence[Path], encoder: Encoder) -> Generator[_Ready, None, None]:
    """The photos in order, prepared on threads, a few ahead of who takes them."""
    waiting: deque[Future[_Ready]] = deque()
    with ThreadPoolExecutor(count()) as threads:
        try:
            for photo in photos:
                waiting.append(threads.submit(_prepare, photo, encoder))
                if len(waiting) >= 2 * AT_ONCE:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _prepare(photo: Path, encoder: Encoder) -> _Ready:
    stamp = _stamp(photo)
    try:
        return _Ready(photo, stamp, ready(encoder, open_photo(photo)), None)
    except DataError as error:
        return _Ready(photo, stamp, None, str(error))
