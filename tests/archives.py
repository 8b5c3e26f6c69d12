"""An archive of a data set, and a server that has it."""

from __future__ import annotations

import http.server
import io
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PIECE: Final = 1 << 14
PAUSE: Final = 0.01
"""Seconds between pieces, so that there is time to break off."""


def archive_of(folder: Path, names: Sequence[str]) -> bytes:
    """Files of a folder, as the archive of a data set has them."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.writestr(f"coco_captioning/{name}", (folder / name).read_bytes())
    return made.getvalue()


@contextmanager
def served(body: bytes) -> Iterator[str]:
    """A server that has a file, and goes on with it where it is asked to; the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start else 200)
            self.send_header("ETag", '"one"')
            self.send_header("Content-Type", "application/zip")
            self.send_header("Content-Length", str(len(body) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            self.end_headers()
            with suppress(OSError):  # who asked is dead
                for i in range(start, len(body), PIECE):
                    self.wfile.write(body[i : i + PIECE])
                    time.sleep(PAUSE)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        yield f"http://127.0.0.1:{running.server_address[1]}/coco_captioning.zip"
        running.shutdown()
