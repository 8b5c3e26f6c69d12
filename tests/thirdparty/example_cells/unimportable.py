"""A cell whose module needs something that is not there."""

import a_package_that_is_not_installed  # noqa: F401
