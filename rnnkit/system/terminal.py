"""Text that leaves the process: whatever names, words and paths hold is shown, and nothing of it is obeyed.

`settle_output` prepares standard output and standard error once, for a program: any encoding takes any text, and
a reader that has gone or a disk that is full ends no work whose own files are fine. `shown` makes a text harmless;
whatever prints, `say` first of all, puts its texts through it. In `results_alone`, in which every command runs,
standard output has what rnnkit prints to `results`, and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO

from rnnkit.system.sink import Sink

_DIRECTIONS: Final = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that turn the text behind them around."""

_HARMFUL: Final = {
    code: chr(code).encode("unicode_escape").decode("ascii")
    for code in (
        *range(0x20),
        *range(0x7F, 0xA0),
        *_DIRECTIONS,
        0x2028,
        0x2029,
    )
    if chr(code) not in "\n\t"
}


def shown(text: str, encoding: str = "utf-8") -> str:
    """The text with each control character as its escape, such as `\\x1b`; lines and tabs stay.

    So are characters that the encoding lacks, and half characters, such as the bytes of a path that is not UTF-8.
    """
    return text.translate(_HARMFUL).encode(encoding, "backslashreplace").decode(encoding)


def shown_in_line(text: str) -> str:
    """The same in one line, in which its lines and tabs are escapes, too."""
    return shown(text).replace("\n", "\\n").replace("\t", "\\t")


def say(text: str, *, err: bool = False) -> None:
    """Print a text in lines of its own, on standard output or on standard error."""
    stream = sys.stderr if err else results()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    print(shown(text, encoding), file=stream, flush=True)


_RESULTS: list[TextIO] = []
"""Standard output, while what others print goes elsewhere."""


def results() -> TextIO:
    """Where rnnkit prints what was asked for."""
    return _RESULTS[-1] if _RESULTS else sys.stdout


def are_alone() -> bool:
    """Whether standard output has results alone."""
    return bool(_RESULTS)


@contextlib.contextmanager
def results_alone() -> Iterator[None]:
    """Have what anything but rnnkit prints, such as a plugin, on standard error, without control characters."""
    _RESULTS.append(results())
    try:
        with contextlib.redirect_stdout(aside()):
            yield
    finally:
        _RESULTS.pop()


def aside() -> TextIO:
    """A standard output for what others print: it is shown on standard error."""
    return io.TextIOWrapper(_Aside(), "utf-8", "backslashreplace", newline="", write_through=True)


class _Aside(io.BytesIO):
    """The bytes of it, which are kept nowhere; for those who write bytes, too."""

    name = "<stderr>"

    def write(self, data: Any, /) -> int:
        text = bytes(data).decode("utf-8", "backslashreplace")
        encoding = getattr(sys.stderr, "encoding", None) or "utf-8"
        print(shown(text, encoding), end="", file=sys.stderr, flush=True)
        return len(data)

    def fileno(self) -> int:
        return sys.stderr.fileno()


def warn(text: str) -> None:
    """A warning on standard error, so that standard output is the result alone."""
    say(f"warning: {text}", err=True)


def settle_output() -> None:
    """Have standard output and standard error take any text in their encoding, and never raise.

    A character that the encoding lacks is written as its escape. What cannot be written is dropped; `lost` says why.
    """
    _take_free_numbers()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _forgiving(sys.stdout)
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _forgiving(sys.stderr)


def lost() -> OSError | None:
    """Why standard output is not whole, where it is not; a reader that has read enough is no reason."""
    if sys.stdout is None:
        return None
    sys.stdout.flush()
    sink = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return sink.failure if isinstance(sink, Sink) else None


def reader_left(failure: OSError) -> bool:
    """Whether it is only that nobody reads on."""
    return failure.errno == errno.EPIPE


def _take_free_numbers() -> None:
    """Give standard streams that are closed a place to go, else the next file that is opened takes their number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _forgiving(stream: io.TextIOWrapper) -> TextIO:
    try:
        stream.flush()
        handle = io.FileIO(stream.fileno(), "w", closefd=False)
    except OSError:  # no file of the system
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(Sink(handle)),
        stream.encoding,
        "backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
