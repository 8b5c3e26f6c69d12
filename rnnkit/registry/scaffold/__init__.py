"""Starts a new plugin: a project that can be installed and tested, in which only the maths is missing."""

from rnnkit.registry.scaffold.project import Project, new_project

__all__ = ["Project", "new_project"]
