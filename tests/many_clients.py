"""Many clients ask a server for captions at once, and each caption is compared with that of its photo alone.

python -m tests.many_clients runs/demo data/scenes/images/val            200 captions, 20 clients
python -m tests.many_clients runs/demo data/scenes/images/val 1000 50    1,000 captions, 50 clients
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import IO, Any

import attrs

from rnnkit.captioning.ensemble import load_writer
from rnnkit.captioning.photos import caption_photos, find_photos, pipeline_of
from tests.servers import Place


@attrs.frozen
class Load:
    """What came of asking.

    Attributes:
        seconds: until the last answer.
        waits: of each caption, in seconds.
        wrong: captions that are not those of their photos alone, or were lost.
    """

    seconds: float
    waits: tuple[float, ...]
    wrong: tuple[str, ...]

    @property
    def a_second(self) -> float:
        """Captions."""
        return len(self.waits) / self.seconds


def alone(model: Path, photos: Sequence[Path]) -> dict[Path, tuple[str, float]]:
    """What `rnnkit caption` says of each photo alone."""
    writer = load_writer([model])
    pipeline = pipeline_of(writer, None, print)
    found = {}
    for photo in photos:
        (said,) = caption_photos(writer, pipeline, [photo])
        found[photo] = said.caption, said.log_prob
    return found


def ask(
    place: Place, photos: Sequence[Path], clients: int, wanted: Mapping[Path, tuple[str, float]]
) -> Load:
    """Have photos captioned by so many clients at once, each on a connection of its own."""
    began = time.monotonic()
    with ThreadPoolExecutor(clients) as pool:
        shares = [photos[i::clients] for i in range(clients)]
        found = [
            one for some in pool.map(lambda share: _client(place, share), shares) for one in some
        ]
    seconds = time.monotonic() - began
    wrong = [
        f"{photo.name}: {said} instead of {wanted[photo]}"
        for photo, said, _ in found
        if not _same(said, wanted[photo])
    ]
    return Load(seconds, tuple(wait for *_, wait in found), tuple(wrong))


def _client(place: Place, photos: Sequence[Path]) -> list[tuple[Path, Any, float]]:
    connection, found = http.client.HTTPConnection("127.0.0.1", place.port, timeout=60), []
    for photo in photos:
        began = time.monotonic()
        connection.request(
            "POST", "/caption", photo.read_bytes(), {"Content-Type": "application/octet-stream"}
        )
        answer = connection.getresponse()
        said = json.loads(answer.read())
        found.append((photo, said, time.monotonic() - began))
    connection.close()
    return found


def _same(said: Any, wanted: tuple[str, float]) -> bool:
    """As `rnnkit caption` prints it: log probabilities with two digits."""
    first: Any = said.get("captions", [{"caption": None, "log_prob": 0.0}])[0]
    caption, log_prob = wanted
    return bool(first["caption"] == caption and abs(first["log_prob"] - log_prob) < 0.005)


@contextmanager
def server(
    model: Path, errors: IO[str] | None = None
) -> Iterator[tuple[Place, subprocess.Popen[str]]]:
    """`rnnkit serve` in a process of its own; what it says on standard error goes into a file, if there is one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnkit", "serve", str(model), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Place(process.stdout.readline().rpartition(" ")[2].strip()), process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def memory(process: subprocess.Popen[str]) -> float:
    """Of a process, in MB; on Linux."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Ask for as many captions, by as many clients, as the arguments say."""
    model, folder, *numbers = sys.argv[1:]
    given = [int(number) for number in numbers]
    count, clients = given + [200, 20][len(given) :]
    photos = list(islice(cycle(find_photos([folder])), count))
    wanted = alone(Path(model), sorted(set(photos)))
    with server(Path(model)) as (place, process):
        ask(place, photos[:20], 1, wanted)
        one = ask(place, photos, 1, wanted)
        before = memory(process)
        many = ask(place, photos, clients, wanted)
        after = memory(process)
    cuts = statistics.quantiles(many.waits, n=20)
    print(
        f"{count} captions, one after the other: {one.a_second:.0f} a second, median {1000 * statistics.median(one.waits):.0f} ms\n"
        f"{count} captions, {clients} clients at once: {many.a_second:.0f} a second, median "
        f"{1000 * statistics.median(many.waits):.0f} ms, 95th percentile {1000 * cuts[-1]:.0f} ms\n"
        f"{many.a_second / one.a_second:.2f} times the throughput; {len(one.wrong) + len(many.wrong)} wrong; "
        f"memory {before:.0f} MB before, {after:.0f} MB after"
    )
    for text in (*one.wrong, *many.wrong):
        print(text)


if __name__ == "__main__":
    main()
