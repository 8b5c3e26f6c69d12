"""`rnnkit serve`."""

from __future__ import annotations

import contextlib
import warnings
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from rnnkit.cli.completing import runs
from rnnkit.cli.options import ModelData
from rnnkit.system.process import settle
from rnnkit.system.terminal import say


def serve(
    models: Annotated[
        list[Path],
        typer.Argument(
            help="A model file or a run's folder; the captions of several stand side by side.",
            metavar="MODEL..",
            autocompletion=runs,
        ),
    ],
    data: ModelData = None,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            metavar="HOST",
            help="The address to listen on; 0.0.0.0 lets others in the network ask.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, help="The port; 0 for any that is free."),
    ] = 8000,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve a page to try models on, and an interface for programs."""
    # Of the notes of a camera in a photo, which nobody asks for.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")
    # Connections and the opening of photos take their part of the cores.
    settle(sharing=2, keep_freed=False)
    from rnnkit.errors import MissingPackage

    try:
        from rnnkit.captioning.serving import Limits, application, open_models
        from rnnkit.captioning.serving.app import LOCAL
        from rnnkit.captioning.serving.running import listen, server_of, url_of
    except ImportError as e:
        raise MissingPackage(f'rnnkit serve needs {e.name}: pip install "rnnkit[serve]"') from e
    served = open_models(models, data, partial(say, err=True))
    limits = Limits()
    with listen(host, port) as listening:
        url = url_of(listening, host)

        def ready() -> None:
            say(f"listening on {url}\nCtrl-C ends it")
            if open_page:
                _open(url)

        server = server_of(application(served, limits, (*LOCAL, host)), limits, ready)
        with contextlib.suppress(KeyboardInterrupt):
            server.run([listening])


def _open(url: str) -> None:
    """On a thread of its own, for some browsers end only when they are closed."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
