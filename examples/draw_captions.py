"""Draw pictures with the captions a network gives them into one SVG file, which any browser shows.

    python examples/draw_captions.py runs/demo data/scenes docs/demo.svg [COUNT]

The data folder must hold its pictures as files, as scenes do.
"""

from __future__ import annotations

import base64
import sys
import textwrap
from html import escape
from pathlib import Path

import rnnkit
from rnnkit.captioning import Captioned, caption_split

SIDE, GAP, LINE, COLUMNS = 150, 18, 17, 4
STYLE = "font: 13px ui-sans-serif, system-ui, sans-serif; fill: #57606a"


def tile(item: Captioned, x: int, y: int) -> str:
    """One picture with its caption below."""
    picture = base64.b64encode(Path(str(item.picture)).read_bytes()).decode()
    lines = textwrap.wrap(item.caption, 24)
    words = "".join(
        f'<text x="{x}" y="{y + SIDE + LINE * (i + 1)}" style="{STYLE}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    return (
        f'<image x="{x}" y="{y}" width="{SIDE}" height="{SIDE}" '
        f'style="image-rendering: pixelated" href="data:image/png;base64,{picture}"/>{words}'
    )


def main(run: str, folder: str, out: str, count: str = "8") -> None:
    model = rnnkit.load(run)
    with rnnkit.open_data(folder) as data:
        items = caption_split(model, data, "val", int(count))
    step_x, step_y = SIDE + GAP, SIDE + 4 * LINE + GAP
    tiles = [
        tile(item, GAP + i % COLUMNS * step_x, GAP + i // COLUMNS * step_y)
        for i, item in enumerate(items)
    ]
    width, height = GAP + COLUMNS * step_x, GAP + -(-len(items) // COLUMNS) * step_y
    Path(out).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">{"".join(tiles)}</svg>\n',
        encoding="utf-8",
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
