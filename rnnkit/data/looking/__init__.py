"""Finds the pictures behind the features, and shows them with their captions."""
