"""What rnnkit raises when something is the user's to mend: one type for each subject."""

import difflib
from collections.abc import Iterable, Sized
from itertools import islice
from typing import Final

LISTED: Final = 8
"""Names that a message lists at most."""

CHOICES: Final = 60
"""Names that a message offers at most, where none is near."""

SHOWN: Final = 80
"""Characters of a value that a message shows at most."""


class RnnkitError(Exception):
    """Base of all errors whose message is written for the user; the command line shows it and exits 2."""


class RegistryError(RnnkitError):
    """A plugin is missing, ambiguous, does not load, or does not fit its interface."""


class PluginFault(RegistryError):
    """A plugin has returned something else than it must, or would have ended the program; its author's to mend."""


class SpecError(RnnkitError):
    """A spec has mistakes; the message has a line for each."""


class DataError(RnnkitError):
    """A data folder is missing something, damaged, or does not fit the network."""


class MissingPackage(RnnkitError):
    """A package that is not installed is needed; the message has the command that installs it."""


class ShapeError(RnnkitError, ValueError):
    """An array does not have the shape, or the kind of numbers, that fits what it is given to."""


class TraceError(RnnkitError):
    """What a plugin computes cannot be kept as a graph, or has no derivative that is known."""


class CourseError(RnnkitError):
    """An assignment, a table of arguments or a submission cannot be read, or has mistakes."""


class CheckpointError(RnnkitError):
    """A model file cannot be written or read."""


def place_of(error: BaseException) -> str:
    """Where an error comes from, as `[file:line]`."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"[{frame.filename}:{frame.lineno}]"


def told(error: BaseException) -> str:
    """What an error says and where it comes from, even of one that fails to say it."""
    try:
        text = str(error)
    except Exception as e:
        text = f"its message cannot be made, which raises {type(e).__name__}"
    return f"{type(error).__name__}: {text} {place_of(error)}"


def listed(names: Iterable[object], at_most: int = LISTED) -> str:
    """Names for a sentence, however many there are: "a, b, c and 7,993 more"; "nothing" if there is none."""
    names = names if isinstance(names, Sized) else list(names)
    some = ", ".join(cut(str(name)) for name in islice(names, at_most))
    more = len(names) - at_most
    return f"{some} and {more:,} more" if more > 0 else some or "nothing"


def quoted(value: object) -> str:
    """What a user wrote, as Python writes it, cut where it is long."""
    try:
        return cut(repr(value))
    except ValueError:  # Python writes out no number of thousands of digits
        return "a number of thousands of digits"


def cut(text: str) -> str:
    """A text for a sentence, cut where it is long."""
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]}.."


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is meant by one like it, or by a part of it."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, 1) or [k for k in known if word and word in k]
    return near[0] if near else None


def closest(word: str, known: Iterable[str]) -> str:
    """'did you mean ...?', or what there is to choose from."""
    known = sorted(known)
    near = nearest(word, known)
    if near:
        return f"did you mean {near!r}?"
    return f"there is {listed(known, CHOICES)}" if known else "there is none"


def no_attribute(module: str, name: str, names: Iterable[str]) -> AttributeError:
    """What a module raises that has no such name; with its own name, so that Python adds no guess to this one."""
    near = nearest(name, names)
    guess = f"; did you mean {near!r}?" if near else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{guess}", name=name)
