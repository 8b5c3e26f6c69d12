"""Grades a class: each submission in a locked process of its own, judged from outside; grades, pages, Gradescope."""
