"""Cells as a third party would write them."""
