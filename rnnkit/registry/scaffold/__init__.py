"""New plugins: an installable project of one's own, in which only the maths is left to write."""

from rnnkit.registry.scaffold.project import Project, new_project

__all__ = ["Project", "new_project"]
