"""Writes captions of many images, with one network or several, and says how good they are."""
