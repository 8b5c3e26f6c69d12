"""Public data sets by name: downloaded, unpacked, checked, and moved into a folder in one go."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from rnnkit.data.fetching.archive import BadArchive, unpack
from rnnkit.data.fetching.download import NotDownloaded, download, forget, kept, origin
from rnnkit.data.folder import open_data
from rnnkit.data.layout import ASSIGNMENT, DATA_FOLDER
from rnnkit.errors import DataError
from rnnkit.system.files import sole_owner


@attrs.frozen
class Source:
    """A data set that `fetch` knows.

    Attributes:
        title: what it is.
        url: of its zip archive.
        archive: the archive's file name.
        files: that are taken out of it, each needed. The first is moved into the folder last: a folder that
            has it has them all.
        most_packed: bytes; a larger archive is not this one.
        most_unpacked: bytes that the files may have together.
        size: bytes of the archive, if they are known.
        sha256: of the archive, if it is known.
    """

    title: str
    url: str
    archive: str
    files: tuple[str, ...]
    most_packed: int
    most_unpacked: int
    size: int | None = None
    sha256: str | None = None


def _assignment_files(splits: tuple[str, ...]) -> tuple[str, ...]:
    by_split = (
        ASSIGNMENT.features,
        ASSIGNMENT.raw_features,
        ASSIGNMENT.images,
        ASSIGNMENT.urls,
    )
    each = (name.format(split) for split in splits for name in by_split)
    return (ASSIGNMENT.captions, ASSIGNMENT.vocabulary, *each)


# The size and the digest of CS231n's archive are not known for certain, so none are given: what it holds is checked.
CATALOGUE: dict[str, Source] = {
    "coco2014": Source(
        title="CS231n's captioning archive (captions of COCO 2014, VGG-16 features; about 1 GB)",
        url="http://cs231n.stanford.edu/coco_captioning.zip",
        archive="coco_captioning.zip",
        files=_assignment_files(("train", "val")),
        most_packed=2_000_000_000,
        most_unpacked=4_000_000_000,
    )
}

OnProgress = Callable[[str, int, int | None], None]
"""Called with what is being done, bytes done, and bytes in all if that is known."""


@attrs.frozen
class Fetched:
    """What `fetch` did.

    Attributes:
        folder: the data folder.
        new: False if the data were there already, and nothing was done.
        archive: the archive, if it is still there.
        sha256: of the archive that was unpacked; None if none was.
    """

    folder: Path
    new: bool
    archive: Path | None = None
    sha256: str | None = None


def fetch(
    name: str,
    folder: str | Path,
    *,
    url: str | None = None,
    sha256: str | None = None,
    keep: bool = False,
    on_progress: OnProgress = lambda stage, done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> Fetched:
    """Get a public data set into a folder. An archive that is there already is unpacked, not downloaded, unless it
    was downloaded from another address.

    The folder gets the files when all of them are unpacked and `open_data` has found them right; until then
    they are in a hidden folder beside their place. A download that was interrupted is resumed.

    Args:
        name: in `CATALOGUE`.
        folder: where the files go; made if it is not there.
        url: of a mirror of the archive, http or https.
        sha256: that the archive must have, in hexadecimal.
        keep: leave the downloaded archive in the folder. One that this call did not download always stays.
        on_progress: told how far it is.
        say: told, in a sentence, what a reader may want to know on the way.

    Raises:
        DataError: the name is unknown, the archive cannot be had or is not right, or the folder cannot be
            written or has other files in the way.
    """
    source, digest, folder = _find(name), _read_digest(sha256), Path(folder)
    with _disk_problems_told(folder), contextlib.ExitStack() as entered:
        archive, moving = folder / source.archive, folder / f".{name}.moving"
        if not moving.exists() and _is_there(source, folder):
            return Fetched(folder, False, archive if archive.exists() else None)
        folder.mkdir(parents=True, exist_ok=True)
        entered.enter_context(sole_owner(folder))  # two would write into one part
        if moving.exists():  # whoever was at it was killed
            _move_in(source.files, moving, folder)
        if _is_there(source, folder):  # by now, another one has fetched it
            return Fetched(folder, False, archive if archive.exists() else None)
        url = url or source.url
        came_from = origin(archive)
        downloaded = not archive.exists() or came_from not in (None, url)
        if downloaded:
            if came_from is not None:
                say(f"{archive} is of {came_from}, and is replaced")
            _download(source, url, archive, on_progress, say)
        else:
            say(f"using {archive}, which is there already")
        with _removed_if_bad(archive):
            found = _check_digest(archive, digest or source.sha256)
            with _hidden_folder(folder / f".{name}.unpacking") as hidden:
                unpack(
                    archive,
                    hidden,
                    source.files,
                    most=source.most_unpacked,
                    on_bytes=lambda done, total: on_progress("unpacking", done, total),
                )
                _check_content(archive, hidden)
                hidden.rename(moving)
                _move_in(source.files, moving, folder)
        if downloaded and not keep:
            forget(archive)
            archive.unlink()
        return Fetched(folder, True, archive if archive.exists() else None, found)


@contextlib.contextmanager
def _disk_problems_told(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise DataError(
            f"cannot use {e.filename or folder}: {e.strerror or e}; give a folder that you may write to"
        ) from e


def _find(name: str) -> Source:
    if name in CATALOGUE:
        return CATALOGUE[name]
    near = difflib.get_close_matches(name, CATALOGUE, 1)
    meant = f"; did you mean {near[0]}?" if near else ""
    raise DataError(f"no data set is named {name!r}{meant}; there is {', '.join(CATALOGUE)}")


def _read_digest(text: str | None) -> str | None:
    if text is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise DataError(f"{text!r} is not a SHA-256 digest, which has 64 hexadecimal digits")
    return text and text.lower()


def _is_there(source: Source, folder: Path) -> bool:
    """True if the folder has all files; DataError if it has some, or ones that do not open."""
    missing = [name for name in source.files if not (folder / name).exists()]
    if (folder / DATA_FOLDER.captions).exists():
        raise DataError(f"{folder} holds other data ({DATA_FOLDER.captions}); give another folder")
    if len(missing) == len(source.files):
        return False
    if missing:
        raise DataError(
            f"{folder} has some files of the data set, but not {', '.join(missing)}; remove those that are "
            "there, or give another folder"
        )
    try:
        _open(folder)
    except DataError as e:
        raise DataError(
            f"{folder} has all files of the data set, but {e}; to download them again, remove them or give "
            "another folder"
        ) from e
    return True


def _download(
    source: Source, url: str, archive: Path, on_progress: OnProgress, say: Callable[[str], None]
) -> None:
    before = kept(url, archive)
    resumed = f", after the {before:,} bytes that are there" if before else ""
    say(f"downloading {source.title} from {url}{resumed}")
    try:
        download(
            url,
            archive,
            most=source.most_packed,
            size=source.size,
            on_bytes=lambda done, total: on_progress("downloading", done, total),
            say=say,
        )
    except NotDownloaded as e:
        resumed = " (it goes on where this one stopped)" if kept(url, archive) else ""
        raise NotDownloaded(
            f"{e}; run the same command again when there is a network{resumed}, or download {url} elsewhere "
            f"and put it at {archive}, which the same command then unpacks"
        ) from e


@contextlib.contextmanager
def _removed_if_bad(archive: Path) -> Iterator[None]:
    """A bad archive must not be taken for a good one the next time; but only our own is ours to remove."""
    try:
        yield
    except BadArchive as e:
        if origin(archive) is not None:
            forget(archive)
            archive.unlink()
            raise BadArchive(f"{e}; it was removed: try again, or another --url") from e
        raise BadArchive(f"{e}; remove it, or put the right one in its place") from e


def _check_digest(archive: Path, expected: str | None) -> str:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected not in (None, found):
        raise BadArchive(f"{archive} has the SHA-256 digest {found}, not {expected}")
    return found


@contextlib.contextmanager
def _hidden_folder(path: Path) -> Iterator[Path]:
    """A new folder that is gone afterwards. Its name is fixed, so that one left by a crash goes, too."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _open(folder: Path) -> None:
    for raw in (False, True):
        with open_data(folder, raw=raw) as data:
            data.check()


def _check_content(archive: Path, unpacked: Path) -> None:
    try:
        _open(unpacked)
    except DataError as e:
        raise DataError(
            f"{archive} does not hold the data set: {e}; put the right archive in its place"
        ) from e


def _move_in(files: tuple[str, ...], moving: Path, folder: Path) -> None:
    """Move the files that are in one folder yet into another, or none of them; the first file comes last."""
    moved: list[str] = []
    try:
        for name in reversed([name for name in files if (moving / name).exists()]):
            (moving / name).rename(folder / name)
            moved.append(name)
    except BaseException:
        for name in moved:
            (folder / name).rename(moving / name)
        if not any((folder / name).exists() for name in files):
            shutil.rmtree(moving, ignore_errors=True)
        raise
    shutil.rmtree(moving)
