"""Two hosts on one machine: network namespaces, with a link of limited rate between them.

Needs Linux, root, `ip` and `tc` (Debian: iproute2), and MPICH, whose mpiexec starts processes on another host by a
program of one's choice: here one that enters a namespace. The two share cores, memory and disk, but what their ranks
send each other goes through the link. The namespaces are removed in the end.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.scaling.jobs import MPIEXEC, Launcher, no_mpi

HOSTS: Final = {"rnnkit-a": "10.77.0.1", "rnnkit-b": "10.77.0.2"}
"""Namespaces and their addresses."""

DEVICE: Final = "rnnkit"
"""Each one's end of the link."""

PATIENCE: Final = 10.0
"""Seconds until the link is up."""

START: Final = """\
#!/bin/sh
# [OPTIONS] HOST COMMAND ..: run the command on that host.
while [ "${{1#-}}" != "$1" ]; do shift; done
host=$1; shift
case $host in {cases}
esac
exec ip netns exec "$namespace" sh -c "$*"
"""


def impossible() -> str | None:
    """Why there cannot be two hosts here; None if there can."""
    if (reason := no_mpi()) is not None:
        return reason
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "network namespaces want root"
    if not (shutil.which("ip") and shutil.which("tc")):
        return "network namespaces want ip and tc, of iproute2"
    assert MPIEXEC is not None
    version = subprocess.run([MPIEXEC, "--version"], capture_output=True, text=True).stdout
    if "HYDRA" not in version:
        return "only MPICH's mpiexec can be told how to start a process on another host"
    return None


@contextlib.contextmanager
def two_hosts(folder: Path, rate: float) -> Iterator[Launcher]:
    """Ranks on two hosts, the first half of them on one.

    Args:
        folder: for the program that starts processes.
        rate: of each direction of the link, in gigabits a second.

    Raises:
        CalledProcessError: the system does not allow it.
    """
    (a, _), (b, _) = HOSTS.items()
    with contextlib.ExitStack() as stack:
        for name in HOSTS:
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        ends = (("name", DEVICE, "netns", a), ("peer", "name", DEVICE, "netns", b))
        _ip("link", "add", *ends[0], "type", "veth", *ends[1])
        for name, address in HOSTS.items():
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", DEVICE)
            # An address of IPv6 would not be good for its first seconds, but found by MPI.
            _ip("-n", name, "link", "set", DEVICE, "addrgenmode", "none")
            for device in ("lo", DEVICE):
                _ip("-n", name, "link", "set", device, "up")
            limit = ["root", "tbf", "rate", f"{rate:g}gbit", "burst", "64kb", "latency", "50ms"]
            _do("tc", "-n", name, "qdisc", "add", "dev", DEVICE, *limit)
        for name in HOSTS:
            _wait_for(name)
        start = folder / "start"
        cases = " ".join(f"{address}) namespace={name} ;;" for name, address in HOSTS.items())
        start.write_text(START.format(cases=cases), encoding="utf-8")
        start.chmod(0o755)
        yield Launcher(
            f"two hosts, {rate:g} Gbit/s",
            within=("ip", "netns", "exec", a),
            options=(
                *("-launcher", "ssh", "-launcher-exec", str(start), "-iface", DEVICE),
                *("-hosts", ",".join(f"{address}:{{half}}" for address in HOSTS.values())),
            ),
            environment={
                "MPIR_CVAR_CH4_NETMOD": "ofi",
                "FI_PROVIDER": "tcp",
                "FI_TCP_IFACE": DEVICE,
                # A host does not know that the other has the same cores.
                "OMP_NUM_THREADS": "1",
            },
            device=DEVICE,
        )


def _wait_for(name: str) -> None:
    """Until the link of a host is up, without which MPI would not take it for one."""
    end = time.monotonic() + PATIENCE
    while b"state UP" not in _ip("-n", name, "link", "show", "dev", DEVICE):
        if time.monotonic() > end:
            raise subprocess.CalledProcessError(1, ("ip", "link"), stderr=b"the link stays down")
        time.sleep(0.05)


def _ip(*words: str) -> bytes:
    return _do("ip", *words)


def _do(*words: str) -> bytes:
    return subprocess.run(words, check=True, capture_output=True).stdout
