"""Which libraries make the matrix products of a process, by which kernels, on how many threads."""

from __future__ import annotations

import re
import sys
from typing import Any

from rnnkit.system.blas import can_cut
from rnnkit.system.machine import blas
from rnnkit.system.process import threads


def of_this_process() -> str:
    """The library that computes in it: JAX's, PyTorch's or NumPy's."""
    if "jax" in sys.modules:
        jaxlib: Any = sys.modules["jaxlib"]
        return f"XLA of jaxlib {jaxlib.__version__}, on all cores that it may run on"
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        mkl = re.search(r"Math Kernel Library Version (\S+)", torch.__config__.show())
        library = f"MKL {mkl[1]}" if mkl else "PyTorch's own BLAS"
        return f"{library}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    return _of_numpy()


def _threads(of_blas: int) -> str:
    """Of a product by itself, and of the pieces that rnnkit cuts large ones into."""
    cuts = threads().cuts
    return f"{of_blas} threads" + (f", pieces on {cuts}" if can_cut() and cuts > 1 else "")


def _of_numpy() -> str:
    try:
        import threadpoolctl
    except ImportError:
        return blas()
    return ", ".join(
        f"{one['internal_api']} {one['version']}, kernel {one.get('architecture', 'unknown')}, "
        f"{_threads(one['num_threads'])}"
        for one in threadpoolctl.threadpool_info()
        if one["user_api"] == "blas"
    )
