"""What `rnnkit serve` says of a photo, asked with Python's standard library alone.

python caption.py photo.jpg [http://127.0.0.1:8000]
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any


def caption(photo: bytes, url: str, **options: object) -> list[dict[str, Any]]:
    """What each model says; options are `model`, `decoder` and `n_best`."""
    request = urllib.request.Request(
        f"{url}/caption?{urllib.parse.urlencode(options)}",
        photo,
        {"Content-Type": "application/octet-stream"},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            captions: list[dict[str, Any]] = json.load(answer)["captions"]
            return captions
    except urllib.error.HTTPError as error:
        raise SystemExit(json.load(error)["error"]) from error


def main() -> None:
    """Print the three best captions, and how sure each model was of each word."""
    photo, url = sys.argv[1], (*sys.argv[2:], "http://127.0.0.1:8000")[0]
    decoder = json.dumps({"use": "beam", "width": 5})
    for said in caption(Path(photo).read_bytes(), url, decoder=decoder, n_best=3):
        print(f"{said['model']}: {said['caption']}  [{said['log_prob']:.2f}]")
        for other in said["others"]:
            print(f"  or: {other['caption']}  [{other['log_prob']:.2f}]")
        for word in said["words"]:
            instead = ", ".join(near["word"] for near in word["instead"])
            print(f"  {word['probability']:4.0%}  {word['word']}  (or {instead})")


if __name__ == "__main__":
    main()
