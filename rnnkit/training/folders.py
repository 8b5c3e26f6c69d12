"""The folder of a run: which it is, the specs in it, and what came of the run, read off its small parts."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import attrs

from rnnkit.errors import CheckpointError, RnnkitError
from rnnkit.network.checkpoint import BEST, LAST, read_note
from rnnkit.spec import Spec, parse_spec, read_spec, write_spec
from rnnkit.spec.toml import parse
from rnnkit.system.files import write_text_whole
from rnnkit.system.json_text import json_value
from rnnkit.system.terminal import shown_in_line
from rnnkit.system.why import TEXT, ordinary_text, why

SPEC: Final = "spec.toml"
UNTIL: Final = "spec-until-{}.toml"
"""What a run was trained with up to an update, if it went on with other settings from there."""

_FROM: Final = "# from "
"""Before the name of the file that a run's spec was read from."""

_DEEP: Final = 3
"""How many folders lie in each other, at most, where runs are looked for."""


@attrs.frozen
class Found:
    """A run as a row of a table.

    Attributes:
        folder: of the run.
        spec: the file that it was started with; None if that is not known.
        cells: of its recurrent layers, by name.
        updates: done by the last checkpoint; `of` is their number in the whole run.
        metric: what the best model is chosen by, with the best value so far; None without a val split.
        when: the last checkpoint was written.
        finished: whether the run has come to its end.
        problem: why it cannot be read; None if it can.
    """

    folder: Path
    spec: str | None = None
    cells: tuple[str, ...] = ()
    updates: int = 0
    of: int = 0
    metric: str = ""
    best: float | None = None
    when: datetime | None = None
    finished: bool = False
    problem: str | None = None


def as_run(folder: str | Path) -> Path:
    """The folder, if it is one.

    Raises:
        CheckpointError: it is none; with what to give instead.
    """
    folder = Path(folder)
    if folder.is_dir():
        return folder
    hint = ""
    if folder.is_file():
        hint = f"; give the folder it is in: {folder.parent}"
        if folder.suffix == ".toml":
            hint = f"; it is a spec: rnnkit train {folder} makes a run of it"
    raise CheckpointError(f"{folder} is not the folder of a run{hint}")


def make_folder(folder: Path, *, exist_ok: bool = True) -> Path:
    """Make a folder, and those around it.

    Raises:
        FileExistsError: it is there, and is not to be.
        CheckpointError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as e:
        if not exist_ok and folder.exists():
            raise
        raise CheckpointError(f"cannot make the folder {folder}: {e.strerror}") from e
    return folder


def make_new(folder: Path) -> Path:
    """Make the folder, in which there must be nothing.

    Raises:
        CheckpointError: there is something, or it cannot be made.
    """
    make_folder(folder)
    if any(folder.iterdir()):
        raise CheckpointError(
            f"{folder} is not empty; choose a folder that is not there yet, or remove it"
        )
    return folder


def make_free(folder: Path) -> Path:
    """Make the first of `folder`, `folder-2`, `folder-3`, ... that is not there yet.

    Raises:
        CheckpointError: it cannot be made.
    """
    for number in itertools.count(1):
        free = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
        with contextlib.suppress(FileExistsError):
            make_folder(free, exist_ok=False)
            break
    return free


def write_settings(folder: Path, spec: Spec, source: str | None) -> None:
    """Write the resolved spec of a run, with the file that it was read from; the one known before, if None.

    Raises:
        CheckpointError: it cannot be written.
    """
    line = _source_line(folder) if source is None else f"{_FROM}{shown_in_line(source)}\n"
    write_text_whole(folder / SPEC, line + write_spec(spec))


def keep_settings(folder: Path, step: int, before: str, after: Spec) -> None:
    """Keep what a run was trained with up to an update, if it goes on with other settings.

    Args:
        folder: of the run.
        step: updates done.
        before: the spec in the checkpoint.
        after: what it goes on with.

    Raises:
        CheckpointError: it cannot be written.
    """
    if step and before != write_spec(after, qualified=True):
        write_text_whole(folder / UNTIL.format(step), before)


def edits(folder: Path, kept: Spec) -> list[str] | None:
    """What the `spec.toml` of a run says that its checkpoint does not, key by key; None if they agree.

    Raises:
        SpecError: it has mistakes.
    """
    file = folder / SPEC
    if not file.exists() or written_by_run(folder, kept):
        return None
    before, now = (_leaves(parse(write_spec(spec))) for spec in (kept, read_spec(file)))
    changed = [
        f"{key} = {now.get(key, 'its default')} (not {before.get(key, 'its default')})"
        for key in {**before, **now}
        if before.get(key) != now.get(key)
    ]
    return changed or None


def written_by_run(folder: Path, spec: Spec | None = None) -> bool:
    """Whether the `spec.toml` of a folder is as a run writes it: that of this spec, or whichever it is."""
    file = folder / SPEC
    try:
        text = ordinary_text(file).removeprefix(_source_line(folder))
        return text == write_spec(parse_spec(text) if spec is None else spec)
    except (RnnkitError, OSError, ValueError):
        return False


def path_in(spec: str) -> str | None:
    """The `data.path` of a spec in TOML."""
    path = parse(spec).get("data", {}).get("path")
    return path if isinstance(path, str) else None


def _leaves(table: Any, path: str = "") -> dict[str, Any]:
    """The values of a TOML document by their dotted paths."""
    if isinstance(table, dict):
        rows = [(f"{path}.{key}" if path else key, value) for key, value in table.items()]
    elif isinstance(table, list) and any(isinstance(row, dict) for row in table):
        rows = [(f"{path}[{k}]", value) for k, value in enumerate(table)]
    else:
        return {path: table}
    return {key: leaf for at, value in rows for key, leaf in _leaves(value, at).items()}


def earlier_settings(folder: Path) -> list[tuple[int, str]]:
    """Every spec that a run had before the present one, with the update up to which it had it.

    Raises:
        CheckpointError: one cannot be read.
    """
    start, end = UNTIL.split("{}")
    numbers = (f.name.removeprefix(start).removesuffix(end) for f in folder.glob(f"{start}*{end}"))
    steps = sorted(int(number) for number in numbers if number.isdecimal())
    found = []
    for n in steps:
        file = folder / UNTIL.format(n)
        try:
            found.append((n, ordinary_text(file)))
        except (OSError, ValueError) as e:
            raise CheckpointError(why(e, file, TEXT)) from e
    return found


def find_runs(folder: Path) -> Iterator[Found]:
    """Every run in a folder, and in those in it; the folder itself, if it is a run.

    Raises:
        CheckpointError: there is no such folder.
    """
    if not folder.is_dir():
        raise CheckpointError(
            f"{folder} is not a folder; runs are in the folder runs if not told otherwise"
        )
    for path, below, files in os.walk(folder):
        here = Path(path)
        if {SPEC, LAST, BEST} & set(files):
            yield _found(here)
            below.clear()
        elif len(here.relative_to(folder).parts) >= _DEEP:
            below.clear()
        below[:] = sorted(name for name in below if not name.startswith("."))


def _found(folder: Path) -> Found:
    spec = _source_line(folder).removeprefix(_FROM).strip() or None
    found = Found(folder, spec)
    last = folder / LAST
    try:
        if not last.exists():
            return attrs.evolve(found, problem=f"{folder} has no checkpoint so far")
        text, note = read_note(last)
        tables, place = parse(text), json_value(note)
        train = tables["train"]
        patience = train.get("patience")
        ended = place["step"] >= place["steps"] or (
            patience is not None and place["waited"] >= patience
        )
        return attrs.evolve(
            found,
            cells=tuple(_name(row["cell"]) for row in tables["model"]["rnn"]),
            updates=place["step"],
            of=place["steps"],
            metric=train["metric"],
            best=place["best"],
            when=datetime.fromtimestamp(last.stat().st_mtime).astimezone(),
            finished=ended and not place["since_record"]["captions"],
        )
    except RnnkitError as e:
        return attrs.evolve(found, problem=str(e))
    except (OSError, ValueError, KeyError) as e:
        return attrs.evolve(found, problem=f"{last}: not a checkpoint of this rnnkit ({e})")
    except (TypeError, AttributeError):  # a list where a table must be, or a text
        return attrs.evolve(found, problem=f"{last}: not a checkpoint of this rnnkit")


def _name(plugin: Any) -> str:
    """Of a plugin as a spec has it, without its package."""
    name = plugin if isinstance(plugin, str) else plugin["use"]
    return str(name).rpartition(":")[2]


def _source_line(folder: Path) -> str:
    """The first line of a run's spec, if it names the file that the spec was read from; else nothing."""
    try:
        first, end, _ = ordinary_text(folder / SPEC).partition("\n")
    except (OSError, ValueError):
        return ""
    return first + end if first.startswith(_FROM) else ""
