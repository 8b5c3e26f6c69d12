"""What the processes of a job need of each other, and a process that has no others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rnnkit.kinds import Array

T = TypeVar("T")


class Ranks(ABC):
    """The ranks of a job, as one of them sees them. What is abstract is called by all, in the same order.

    Attributes:
        rank: which this process is.
        size: how many there are, R.
        sharing: how many, this one included, work on this one's cores.
        share: which part of a buffer is this one's, where each has one, 0 to R - 1.
    """

    rank: int = 0
    size: int = 1
    sharing: int = 1
    share: int = 0

    @abstractmethod
    def sum(self, buffer: Array) -> None:
        """Put the sum over all ranks in the place of a contiguous array; all get the same bits."""

    @abstractmethod
    def sum_shares(self, buffer: Array, share: Array) -> Callable[[], None]:
        """Put into `share` (S,) the sum over all ranks of this one's part of `buffer` (R S,).

        Returns:
            a function that waits until that is done. If the ranks overlap it is under way before, else it begins then.
        """

    @abstractmethod
    def join_shares(self, buffer: Array) -> None:
        """Give all ranks each one's part of `buffer` (R S,), in its place."""

    @abstractmethod
    def collect(self, share: Array, whole: Array) -> None:
        """Put all ranks' shares (S,) in their places of the first one's `whole` (R S,); that of others is left alone."""

    @abstractmethod
    def copy(self, buffer: Array) -> None:
        """Put the first rank's values in the place of a contiguous array."""

    @abstractmethod
    def broadcast(self, value: T) -> T:
        """The first rank's value."""

    @abstractmethod
    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""

    @abstractmethod
    def first(self, job: Callable[[], T]) -> T:
        """What a job returns, or raises for the user to mend, that the first rank does for all."""

    @abstractmethod
    def each(self, job: Callable[[], T]) -> list[T]:
        """What the jobs return that each rank does, in the order of ranks.

        Raises:
            RnnkitError: on all ranks, what one of them has raised, with its rank.
        """

    @abstractmethod
    def spread(self, job: Callable[[int], T], count: int) -> Iterator[tuple[int, T]]:
        """Do a job for each of the numbers 0 to count - 1, on whichever rank is free.

        The first rank gets (number, what the job returned) as they come, in any order; the others work, and get
        nothing. All are to exhaust it.

        Raises:
            RnnkitError: on all ranks, what one of the jobs has raised.
        """


class Alone(Ranks):
    """A process of its own."""

    def sum(self, buffer: Array) -> None:
        pass

    def sum_shares(self, buffer: Array, share: Array) -> Callable[[], None]:
        share[...] = buffer
        return _done

    def join_shares(self, buffer: Array) -> None:
        pass

    def collect(self, share: Array, whole: Array) -> None:
        whole[...] = share

    def copy(self, buffer: Array) -> None:
        pass

    def broadcast(self, value: T) -> T:
        return value

    def any(self, flag: bool) -> bool:
        return flag

    def first(self, job: Callable[[], T]) -> T:
        return job()

    def each(self, job: Callable[[], T]) -> list[T]:
        return [job()]

    def spread(self, job: Callable[[int], T], count: int) -> Iterator[tuple[int, T]]:
        return ((number, job(number)) for number in range(count))


def _done() -> None:
    pass


ALONE: Final = Alone()
