"""Train on features larger than memory: what that takes of each process, in memory and in bytes read.

python -m benchmarks.shards run --gigabytes 6 --ranks 2 --updates 1000 --folder /tmp

Writes random features of width 4096 in shards, with five captions for each image, has the system forget what it
knows of the files, and trains an LSTM on them. Reads are those of /proc/self/io: what the process asked for,
and what of it came from a disk. On Linux.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from benchmarks.scaling.jobs import SHARED_MEMORY, no_mpi
from benchmarks.turns import ROOT
from rnnkit.parallel import job
from rnnkit.system.process import settle

if TYPE_CHECKING:
    from rnnkit.training import Step

# NumPy, and what imports it, is imported in functions: `settle` comes first.

WIDTH: Final = 4096
CAPTIONS: Final = 5  # of each image
LENGTH: Final = 17
WORDS: Final = 2000
BLOCK: Final = 4096  # rows that are drawn, and written again and again

SPEC: Final = """
[model]
words = { use = "embedding", dim = 256 }
[[model.rnn]]
hidden = 256
cell = "lstm"
[train]
epochs = 1000
batch = 128
optimizer = { use = "adam", learning_rate = 1e-3 }
"""

app = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None)


@app.command()
def run(
    gigabytes: Annotated[float, typer.Option(help="Features, in 10^9 bytes.")] = 6.0,
    ranks: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    updates: Annotated[int, typer.Option(min=1, help="Updates of training.")] = 1000,
    shards: Annotated[int, typer.Option(min=1, help="Files that the features are in.")] = 8,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Where the files go for the time; else the system's."
        ),
    ] = None,
) -> None:
    """Write features and captions, train on them, and print a line for each process."""
    if ranks > 1 and (reason := no_mpi()):
        raise typer.BadParameter(reason)
    with tempfile.TemporaryDirectory(prefix="rnnkit-shards-", dir=folder) as name:
        data = Path(name) / "data"
        began = time.perf_counter()
        images = write_data(data, gigabytes, shards)
        print(
            f"wrote {images:,} images in {shards} shards in {time.perf_counter() - began:.0f} s",
            flush=True,
        )
        command = [sys.executable, "-m", "benchmarks.shards", "rank", name, str(updates)]
        if ranks > 1:
            command = [*SHARED_MEMORY.words(ranks), *command]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
    raise typer.Exit(code)


@app.command(hidden=True)
def rank(folder: Path, updates: int) -> None:
    """What each process does."""
    with job() as ranks:
        settle(ranks.sharing)
        import rnnkit

        def on_step(step: Step) -> None:
            if step.number == updates:
                os.kill(os.getpid(), signal.SIGINT)

        before, began = bytes_read(), time.perf_counter()
        rnnkit.train(
            rnnkit.parse_spec(SPEC), folder / "data", folder / "run", on_step=on_step, ranks=ranks
        )
        seconds = time.perf_counter() - began
        asked, from_disk = (
            (now - then) / 1e6 for now, then in zip(bytes_read(), before, strict=True)
        )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        line = (
            f"rank {ranks.rank}: peak memory {peak:,.0f} MB; read {asked:,.0f} MB, {from_disk:,.0f} MB of "
            f"them from a disk, {asked / seconds:,.0f} MB/s"
        )
        lines = ranks.each(lambda: line)
        if ranks.rank == 0:
            print(f"{updates:,} updates in {seconds:.1f} s, {updates / seconds:.1f} a second")
            print("\n".join(lines))


def write_data(folder: Path, gigabytes: float, shards: int) -> int:
    """A data folder with features of so many 10^9 bytes; how many images they are of."""
    import h5py
    import numpy as np

    from rnnkit.data.features import file_names
    from rnnkit.data.vocabulary import Vocabulary

    folder.mkdir()
    rng = np.random.default_rng(0)
    images = max(shards, round(gigabytes * 1e9 / (4 * WIDTH)))
    block = rng.standard_normal((BLOCK, WIDTH), np.float32)
    files = [folder / name for name in file_names("features_train.h5", shards)]
    for k, path in enumerate(files):
        rows = images * (k + 1) // shards - images * k // shards
        with h5py.File(path, "w") as file:
            features = file.create_dataset("features", (rows, WIDTH), np.float32)
            for i in range(0, rows, BLOCK):
                features[i : i + BLOCK] = block[: rows - i]
    vocabulary = Vocabulary.standard(WORDS)
    with h5py.File(folder / "captions.h5", "w") as file:
        n = images * CAPTIONS
        captions = file.create_dataset("train_captions", (n, LENGTH), np.int32)
        for i in range(0, n, BLOCK):
            tokens = rng.integers(4, WORDS, (min(BLOCK, n - i), LENGTH), np.int32)
            ends = rng.integers(8, LENGTH, len(tokens))[:, None]
            tokens[np.arange(LENGTH) > ends] = vocabulary.null
            np.put_along_axis(tokens, ends, vocabulary.end, axis=1)
            tokens[:, 0] = vocabulary.start
            captions[i : i + BLOCK] = tokens
        file["train_image_idxs"] = np.repeat(np.arange(images, dtype=np.int32), CAPTIONS)
    (folder / "vocab.json").write_text(json.dumps({"idx_to_word": vocabulary.words}))
    for path in files:
        forget(path)
    return images


def forget(path: Path) -> None:
    """Have the system write a file to the disk, and keep nothing of it in memory."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def bytes_read() -> tuple[int, int]:
    """By this process so far: what it asked for, and what of it came from a disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    numbers = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return numbers["rchar"], numbers["read_bytes"]


if __name__ == "__main__":
    app()
