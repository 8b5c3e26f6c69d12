"""Pages of the documentation that are read off the code, so that they cannot drift from it."""
