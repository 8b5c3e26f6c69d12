"""Recurrent cells from the literature, as plugins of rnnkit."""
