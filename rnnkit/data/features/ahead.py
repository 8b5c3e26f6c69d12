"""Reading in the background."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def read_ahead(reads: Iterable[Callable[[], T]]) -> Generator[T, None, None]:
    """The result of each read, in order; the next one is under way while this one is used.

    What a read raises is raised here, in its place. Nothing is read any more once the iterator is closed.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="rnnkit-read") as reader:
        under_way: Future[T] | None = None
        for read in reads:
            done, under_way = under_way, reader.submit(read)
            if done is not None:
                yield done.result()
        if under_way is not None:
            yield under_way.result()
