"""Interfaces of other packages over rnnkit's engine."""
