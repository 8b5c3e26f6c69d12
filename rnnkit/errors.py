"""What rnnkit raises when something is the user's to mend: one type for each subject."""


class RnnkitError(Exception):
    """Base of all errors whose message is written for the user; the command line shows it and exits 2."""


class RegistryError(RnnkitError):
    """A plugin is missing, ambiguous, does not load, or does not fit its interface."""


class SpecError(RnnkitError):
    """A spec has mistakes; the message has a line for each."""


class DataError(RnnkitError):
    """A data folder is missing something, damaged, or does not fit the network."""


class ShapeError(RnnkitError, ValueError):
    """An array does not have the shape, or the kind of numbers, that fits what it is given to."""


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
