"""Several processes at one job, under MPI; or this process alone.

Each is a rank, 0 to R - 1. What they need of each other is small: sums, values of the first rank, jobs to be dealt
out, and to end together. mpi4py is imported only where an MPI launcher has started the process, so a process of
its own neither needs it nor waits for it. NumPy is not imported here at all, for `settle` comes
first.
"""

from rnnkit.parallel.jobs import job
from rnnkit.parallel.ranks import ALONE, Alone, Ranks
from rnnkit.system.process import settle

__all__ = ["ALONE", "Alone", "Ranks", "job", "settle"]
