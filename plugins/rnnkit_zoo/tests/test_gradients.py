"""Every cell of this distribution under the harness of rnnkit."""

from rnnkit.testing.suite import *  # noqa: F403
