"""A data folder made from captions and features: split, counted, reduced, written whole or not at all."""
