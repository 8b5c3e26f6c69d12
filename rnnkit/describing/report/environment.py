"""The machine and the programs that a page was made with."""

from __future__ import annotations

import os
import platform
from datetime import datetime

import numpy as np

from rnnkit.system.machine import blas, processor
from rnnkit.system.process import THREAD_LIMITS, threads
from rnnkit.system.version import __version__


def environment(now: datetime) -> dict[str, str]:
    """What is called how -> what it is here."""
    limits = [f"{name}={os.environ[name]}" for name in THREAD_LIMITS if os.environ.get(name)]
    cores = os.cpu_count() or 1
    return {
        "date": now.strftime("%d %B %Y, %H:%M %Z").strip(),
        "rnnkit": __version__,
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "NumPy": np.__version__,
        "BLAS": blas(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": processor(),
        "threads": ", ".join([f"{threads().cuts} at most", f"{cores} processor cores", *limits]),
    }
