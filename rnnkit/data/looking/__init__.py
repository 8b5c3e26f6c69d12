"""The pictures behind the features, to look at."""
