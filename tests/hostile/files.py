"""Files spoiled: HDF5 by its parts, JSON by its values, anything by its bytes; and things that are no files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from tests.hostile.values import spoiled_bytes, spoiled_text


def spoil(rng: Random, file: Path) -> str:
    """Spoil a file in place; what was done to it, in a word."""
    ways: list[Callable[[Random, Path], str]] = [_bytes, _no_file, _bytes]
    if file.suffix == ".h5":
        ways += [_h5] * 6
    elif file.suffix == ".json":
        ways += [_json] * 3
    else:
        ways += [_text] * 2
    return rng.choice(ways)(rng, file)


def _bytes(rng: Random, file: Path) -> str:
    data = file.read_bytes()
    while (spoiled := spoiled_bytes(rng, data)) == data:
        pass
    file.write_bytes(spoiled)
    return "bytes"


def _text(rng: Random, file: Path) -> str:
    text = file.read_text(encoding="utf-8", errors="surrogateescape")
    file.write_text(spoiled_text(rng, text), encoding="utf-8", errors="surrogateescape")
    return "text"


def _no_file(rng: Random, file: Path) -> str:
    file.unlink()
    what = rng.choice(("nothing", "folder", "pipe", "device", "loop", "nowhere"))
    if what == "folder":
        file.mkdir()
    elif what == "pipe":
        os.mkfifo(file)
    elif what != "nothing":
        file.symlink_to(
            {"device": "/dev/zero", "loop": file.name, "nowhere": "/nowhere/at/all"}[what]
        )
    return what


def _json(rng: Random, file: Path) -> str:
    value: Any = json.loads(file.read_text())
    holder, key, place = value, None, ""
    while isinstance(holder, dict | list) and holder:
        key = rng.choice(list(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
        place += f".{key}" if isinstance(key, str) else "[]"
        if not isinstance(holder[key], dict | list) or not holder[key] or rng.random() < 0.4:
            break
        holder = holder[key]
    strange: tuple[object, ...] = (
        None,
        True,
        0,
        -1,
        1e300,
        2**70,
        "",
        "x\0y",
        "\ud83d",
        "\x1b]0;x\x07",
        [],
        {},
        [[]],
        {"a": 1},
        "<END>",
        "<NULL>",
    )
    put = rng.choice(strange)
    if key is None:
        value = put
    elif rng.random() < 0.2:
        del holder[key]
        put = "gone"
    else:
        holder[key] = put
    file.write_text(json.dumps(value))
    return f"{place} = {json.dumps(put)[:30]}"


def _h5(rng: Random, file: Path) -> str:
    try:
        with h5py.File(file, "a") as h5:
            names: list[str] = []
            h5.visit(names.append)
            name = rng.choice(names or ["x"])
            return f"{name} {_change(rng, h5, name)}"
    except (OSError, RuntimeError, KeyError, ValueError, TypeError):
        return _bytes(rng, file)


def _change(rng: Random, h5: Any, name: str) -> str:
    old = h5[name]
    array = (
        old[()]
        if isinstance(old, h5py.Dataset) and old.dtype.kind in "iuf" and old.shape
        else np.zeros((3, 2), "f4")
    )
    text = (
        old.asstr()[()]
        if isinstance(old, h5py.Dataset) and old.dtype.kind == "O" and old.shape == ()
        else ""
    )
    del h5[name]
    put: dict[str, Callable[[], object]] = {
        "gone": lambda: None,
        "group": lambda: h5.create_group(name),
        "text": lambda: h5.__setitem__(name, rng.choice(("", "x", "[" * 3000, "3", "[1]", "{}", '{"a": 1}', "null", "\0x", "nan"))),
        "spoiled text": lambda: h5.__setitem__(name, spoiled_text(rng, text).replace("\0", "0")),
        "texts": lambda: h5.create_dataset(name, data=["a", "b"], dtype=h5py.string_dtype()),
        "number": lambda: h5.__setitem__(name, rng.choice((3, -1, np.nan, 2**40))),
        "empty": lambda: h5.__setitem__(name, h5py.Empty("f4")),
        "no rows": lambda: h5.__setitem__(name, array[:0]),
        "one row": lambda: h5.__setitem__(name, array[:1]),
        "deeper": lambda: h5.__setitem__(name, array[None]),
        "type": lambda: h5.__setitem__(name, np.nan_to_num(array).astype(rng.choice(("i1", "u8", "f2", "f8", "c8", "S3", "?")))),
        "nan": lambda: h5.__setitem__(name, np.full(array.shape, rng.choice((np.nan, np.inf)), "f4")),
        "1e38": lambda: h5.__setitem__(name, np.full(array.shape, 1e38, "f4")),
        "large numbers": lambda: h5.__setitem__(name, np.full(array.shape, rng.choice((2**31 - 1, -1, 2**40)))),
        "huge, not written": lambda: h5.create_dataset(name, (10**9, *array.shape[1:]), array.dtype, chunks=True),
        "huge, packed": lambda: h5.create_dataset(name, data=np.zeros((1 << 22, 2), "f4"), compression="gzip", chunks=(1 << 22, 2)),
        "huge piece": lambda: h5.create_dataset(name, (1 << 28, 3), "f4", chunks=(1 << 28, 3), compression="gzip"),
        "elsewhere": lambda: h5.create_dataset(name, (1, 400), "u1", external=[("/etc/passwd", 0, 400)]),
        "link": lambda: h5.__setitem__(name, rng.choice((h5py.ExternalLink("/etc/passwd", "x"), h5py.SoftLink(f"/{name}"), h5py.SoftLink("/nothing")))),
        "references": lambda: h5.create_dataset(name, data=[h5.ref] * 3, dtype=h5py.ref_dtype),
    }  # fmt: skip
    what = rng.choice(list(put))
    put[what]()
    return what
