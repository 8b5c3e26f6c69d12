"""Plugins that are right but for one mistake each, which the docstring of its file tells.

`softsign` is right.
"""
