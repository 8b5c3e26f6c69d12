"""Typical mistakes in the functions of the assignment, and right solutions in many styles: does gradcheck tell them apart?

`python -m tests.mistakes` goes through all of them, and counts what the notebook's own checks would have passed.
"""
