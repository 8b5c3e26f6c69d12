"""SPICE as a program: captions and references from standard input, scores into the file that is named."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(result: str) -> None:
    from pycocoevalcap.spice.spice import Spice

    captions, references = json.load(sys.stdin)
    overall, each = Spice().compute_score(
        dict(enumerate(references)), {image: [text] for image, text in enumerate(captions)}
    )
    scores = [float(overall), [float(one["All"]["f"]) for one in each]]
    Path(result).write_text(json.dumps(scores), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
