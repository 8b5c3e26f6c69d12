"""Text and JSON files read, with DataErrors for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

from rnnkit.errors import DataError


def read_text(path: Path) -> str:
    """The whole of a UTF-8 text file.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}; check the file and its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start}); write or download it again"
        ) from error


def read_json(path: Path) -> object:
    """What a JSON file holds.

    Raises:
        DataError: it cannot be read, or is something else.
    """
    try:
        content: object = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); write or download it again"
        ) from error
    return content
