"""The machine and the programs that a page was made with."""

from __future__ import annotations

import os
import platform
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

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
        "BLAS": _blas(),
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processor": _processor(),
        "threads": ", ".join(
            [f"{threads()} for elementwise work", f"{cores} processor cores", *limits]
        ),
    }


def _blas() -> str:
    config: Any = np.show_config(mode="dicts")
    found = config.get("Build Dependencies", {}).get("blas", {})
    return f"{found.get('name', 'unknown')} {found.get('version', '')}".strip()


def _processor() -> str:
    """Its name as it is sold, where the system tells it."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        for line in lines:
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"
