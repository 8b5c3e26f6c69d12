from rnnkit.testing.suite import *  # noqa: F403
