"""`rnnkit`, and `python -m rnnkit`: the command line, and Ctrl-C while it is not yet there, or no longer.

Python takes long enough to import the rest for a user to see that the command is wrong. So Ctrl-C is settled first.
"""

from __future__ import annotations

import os
import signal


def _leave(*_: object) -> None:
    """End at once, for there is nothing to save; an exception would come out of whatever is being imported."""
    os._exit(128 + signal.SIGINT)


def main() -> None:
    """Run the command line; see `rnnkit.cli.main` for the exit codes."""
    # In the background, it is ignored, and that is how it stays.
    heeding = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeding:
        signal.signal(signal.SIGINT, _leave)
    from rnnkit.cli import main as command_line

    try:
        if heeding:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        command_line()
    except KeyboardInterrupt:
        _leave()
    finally:
        if heeding:  # libraries have yet to end
            signal.signal(signal.SIGINT, _leave)


if __name__ == "__main__":
    main()
