"""Caption scenes that a network has not seen, and judge each caption by parsing it against the picture.

    python examples/judge_scenes.py runs/demo data/scenes [SPLIT]

Exits 1 if fewer than 80 % of the captions describe their picture exactly.
"""

from __future__ import annotations

import sys

import rnnkit
from rnnkit.captioning import caption_split
from rnnkit.data.scenes import describes, load_scenes

GOAL = 0.8


def main(run: str, folder: str, split: str = "val") -> int:
    model = rnnkit.load(run)
    with rnnkit.open_data(folder) as data:
        captions = caption_split(model, data, split)
    scenes = load_scenes(folder, split)
    exact = [describes(c.caption, scene) for c, scene in zip(captions, scenes, strict=True)]
    share = sum(exact) / len(exact)
    print(f"{share:.1%} of {len(exact)} captions describe their picture exactly")
    return 0 if share >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
