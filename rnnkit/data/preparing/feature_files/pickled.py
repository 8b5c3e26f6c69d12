"""Pickles, which are not read, as they may run code; and how to turn one into what is read."""

from __future__ import annotations

import pickletools
import re
from pathlib import Path
from typing import Final

from rnnkit.errors import DataError
from rnnkit.system.why import check_ordinary

_DICTIONARY: Final = (
    "{{str(image): values for image, values in {load}.items()}}",
    'numpy.savez("features.npz", **{what})',
)
_ARRAY: Final = ("{load}", 'numpy.save("features.npy", {what})')


def refuse_pickle(path: Path) -> None:
    """Tell how to turn a pickle into a NumPy file, if a file is one, or a NumPy file with one in it.

    Raises:
        DataError: it is.
    """
    try:
        check_ordinary(path)
        with path.open("rb") as file:
            head = file.read(4096)
    except (OSError, ValueError):  # told where it is read
        return
    in_numpy = head.startswith(b"\x93NUMPY") and b"'descr': '|O'" in head[:128]
    if not in_numpy and not re.match(rb"\x80[\x02-\x05]", head):
        return
    dictionary = in_numpy or _is_dictionary(head)
    load = (
        f'numpy.load("{path.name}", allow_pickle=True).item()'
        if in_numpy
        else f'pickle.load(open("{path.name}", "rb"))'
    )
    what, save = _DICTIONARY if dictionary else _ARRAY
    lines = (
        "import numpy, pickle" if not in_numpy else "import numpy",
        save.format(what=what.format(load=load)),
    )
    raise DataError(
        f"{path} is a pickle, which may run code when it is read. If you trust it, turn it into a file of "
        "numbers:\n" + "\n".join(f"  {line}" for line in lines)
    )


def _is_dictionary(head: bytes) -> bool:
    """Whether the first thing that a pickle makes is a dictionary; nothing is run."""
    try:
        for code, _, _ in pickletools.genops(head):
            if code.name not in ("PROTO", "FRAME"):
                return code.name in ("EMPTY_DICT", "DICT")
    except ValueError:  # the head is cut off
        pass
    return False
