"""One cell, one file."""
