"""Products by OpenBLAS, NumPy's usual library for them, in pieces that a thread each computes.

Left alone, OpenBLAS computes a product on all its threads together. They wait for each other by spinning: where
another program has the core of one, the others burn theirs until it comes back. And some bits of the result depend on
how many threads there are, so that their number cannot change within a run. Pieces of a product have the same bits on
any number of threads, and this can be one while other programs are busy. OpenBLAS computes them all in one call
(`cblas_sgemm_batch`, which older ones do not have): to hand a piece to a thread takes Python too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy.typing as npt

_BUILDS: Final = (
    ("scipy_", "64_", ctypes.c_int64),
    ("", "64_", ctypes.c_int64),
    ("", "", ctypes.c_int),
)
"""What stands before and behind the names of functions in NumPy's wheels and in other builds, and their integers."""

LEAST: Final = 100**3
"""Multiplications that a piece must have more of: at fewer, some releases of OpenBLAS jump to a wrong address."""

_ROWS, _AS_IT_IS, _TRANSPOSED = 101, 111, 112  # as cblas.h numbers them


class _OpenBLAS(NamedTuple):
    """Its functions.

    Attributes:
        threads: how many it takes.
        take: sets that.
        batch: of each type of numbers, C's type and the function.
        integer: C's type.
    """

    threads: Callable[[], int]
    take: Callable[[int], None]
    batch: Mapping[str, tuple[Any, Callable[..., None]]]
    integer: Any


def can_cut() -> bool:
    """Whether products can be computed in pieces."""
    return _openblas() is not None


def take(threads: int) -> int | None:
    """Have a product of NumPy's own take so many threads; how many it took before, None if it cannot be told to."""
    blas = _openblas()
    if blas is None:
        return None
    before = blas.threads()
    blas.take(threads)
    return before


@contextlib.contextmanager
def on(threads: int) -> Iterator[None]:
    """Products of NumPy's own take so many threads in the block: some bits depend on how many."""
    before = take(threads)
    try:
        yield
    finally:
        if before is not None:
            take(before)


def on_one_thread(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """a @ b."""
    before = take(1)
    try:
        found: npt.NDArray[Any] = a @ b
    finally:
        if before is not None:
            take(before)
    return found


class Product(Protocol):
    """a @ b for arrays of some shapes."""

    def __call__(
        self,
        a: npt.NDArray[Any],
        b: npt.NDArray[Any],
        at_a_time: int,
        onto: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        """So many pieces at a time; added to `onto`, contiguous and of the same type, if that is given."""
        ...


def in_pieces(
    char: str,
    a_shape: tuple[int, ...],
    a_strides: tuple[int, ...],
    b_shape: tuple[int, ...],
    b_strides: tuple[int, ...],
    bounds: Sequence[int],
) -> Product | None:
    """What computes a (M, K) times b (K, N) for all such arrays; None if OpenBLAS cannot.

    To make it takes as long as a small product.

    Args:
        char: of both types of numbers, as NumPy has it.
        a_shape: (M, K).
        a_strides: bytes.
        b_shape: (K, N).
        b_strides: bytes.
        bounds: where pieces begin and end: rows if M > N, else columns.
    """
    from numpy import add, empty

    blas = _openblas()
    if blas is None or char not in blas.batch:
        return None
    (M, K), N, (number, call) = a_shape, b_shape[1], blas.batch[char]
    item, count, by_rows = ctypes.sizeof(number), len(bounds) - 1, M > N
    of_a, of_b = _layout(a_shape, a_strides, item), _layout(b_shape, b_strides, item)
    if of_a is None or of_b is None:
        return None
    sizes = [end - begin for begin, end in itertools.pairwise(bounds)]
    if min(sizes, default=0) * K * min(M, N) <= LEAST:
        return None
    a_offsets = [begin * a_strides[0] * by_rows for begin in bounds[:-1]]
    b_offsets = [begin * b_strides[1] * (not by_rows) for begin in bounds[:-1]]
    offsets = [begin * (N if by_rows else 1) * item for begin in bounds[:-1]]
    pointers, integers = ctypes.c_void_p * count, blas.integer * count
    enums, numbers = ctypes.c_int * count, number * count

    def all_of(value: int) -> Any:
        return integers(*[value] * count)

    sides = (
        _ROWS,
        enums(*[of_a[0]] * count),
        enums(*[of_b[0]] * count),
        integers(*sizes) if by_rows else all_of(M),
        all_of(N) if by_rows else integers(*sizes),
        all_of(K),
        numbers(*[1.0] * count),
    )
    a_step, b_step, step, zeros = all_of(of_a[1]), all_of(of_b[1]), all_of(N), numbers()
    ones, groups, one_each = sides[-1], blas.integer(count), all_of(1)
    threads, take = blas.threads, blas.take

    def product(
        a: npt.NDArray[Any],
        b: npt.NDArray[Any],
        at_a_time: int,
        onto: npt.NDArray[Any] | None = None,
    ) -> npt.NDArray[Any]:
        at_a: int = a.__array_interface__["data"][0]  # quicker than a.ctypes.data
        at_b: int = b.__array_interface__["data"][0]
        if (at_a | at_b) % item:
            found: npt.NDArray[Any] = a @ b
            return found if onto is None else add(onto, found, out=onto)
        out: npt.NDArray[Any] = empty((M, N), char) if onto is None else onto
        at: int = out.__array_interface__["data"][0]
        before = threads()
        take(at_a_time)
        try:
            call(
                *sides,
                pointers(*[at_a + offset for offset in a_offsets]),
                a_step,
                pointers(*[at_b + offset for offset in b_offsets]),
                b_step,
                zeros if onto is None else ones,
                pointers(*[at + offset for offset in offsets]),
                step,
                groups,
                one_each,
            )
        finally:
            take(before)
        return out

    return product


def _layout(shape: tuple[int, ...], strides: tuple[int, ...], item: int) -> tuple[int, int] | None:
    """Whether BLAS is to take a matrix as it is or transposed, and the elements from a row to the next."""
    for turn, rows, columns in ((_AS_IT_IS, 0, 1), (_TRANSPOSED, 1, 0)):
        step = strides[rows]
        if strides[columns] == item and step % item == 0 and step >= shape[columns] * item:
            return turn, step // item
    return None


@functools.cache
def _openblas() -> _OpenBLAS | None:
    for file in _libraries():
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(str(file))
            for before, behind, integer in _BUILDS:
                with contextlib.suppress(AttributeError):  # it has no such function
                    return _of(library, before, behind, integer)
    return None


def _of(library: ctypes.CDLL, before: str, behind: str, integer: Any) -> _OpenBLAS:
    threads = library[f"{before}openblas_get_num_threads{behind}"]
    take = library[f"{before}openblas_set_num_threads{behind}"]
    take.argtypes, take.restype = [ctypes.c_int], None
    batch = {}
    for kind, char, number in (("s", "f", ctypes.c_float), ("d", "d", ctypes.c_double)):
        call = library[f"{before}cblas_{kind}gemm_batch{behind}"]
        call.restype = None
        batch[char] = number, call
    return _OpenBLAS(threads, take, batch, integer)


def _libraries() -> Iterator[Path]:
    """Where NumPy's wheels have OpenBLAS, and where this process has loaded one from."""
    import numpy as np

    home = Path(np.__file__).parent
    for folder in (home.parent / "numpy.libs", home / ".dylibs"):
        yield from sorted(folder.glob("*openblas*"))
    with contextlib.suppress(OSError):  # not Linux
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
        yield from map(Path, sorted({line.split()[-1] for line in lines if "openblas" in line}))
