"""Every spec in specs/, every cell of installed packages and every kind of network, exported to ONNX and compared.

python -m tests.many_exports [IMAGES [NAME ..]]

With no name given it is all of them. Captions of IMAGES images (200 unless given) must be those of rnnkit, at batch 1 and 64, with log probabilities to 1e-4.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from rnnkit.captioning.exporting import export_onnx
from rnnkit.data.scenes import write_scenes
from tests.exports import OF_KIND, SPECS, agreement, images, network, texts_of_cells

CLOSE: Final = 1e-4


def specs() -> Iterator[tuple[str, str | Path]]:
    """The name of each network, and its spec."""
    yield from ((file.name, file) for file in sorted(SPECS.glob("*.toml")))
    for package in ("rnnkit", "rnnkit-zoo"):
        yield from texts_of_cells(package)
    yield from OF_KIND.items()


def main(count: int = 200, *names: str) -> int:
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        data, file = Path(folder) / "scenes", Path(folder) / "captioner.onnx"
        write_scenes(data, train=max(count, 100), val=20, seed=3)
        features = images(data, count)
        for name, spec in specs():
            if names and name not in names:
                continue
            model = network(spec, data)
            export_onnx(model, file, encoder=False, features=features[:16])
            for batch in (1, 64):
                found = agreement(file, model, features, batch)
                ok = not found.other and found.apart <= CLOSE
                failed += not ok
                print(
                    f"{name:22} batch {batch:2}: {found.images - found.other} of {found.images} captions the same "
                    f"({found.captions} different ones), log probabilities to {found.apart:.1e}{'' if ok else '  FAILED'}",
                    flush=True,
                )
    return 1 if failed else 0


if __name__ == "__main__":
    words = sys.argv[1:]
    sys.exit(main(int(words[0]) if words else 200, *words[1:]))
