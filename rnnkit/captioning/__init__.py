"""Captions of many images, by one network or several, and what they are worth."""
