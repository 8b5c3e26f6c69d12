"""The process and what it stands on: threads, files that are written whole, HDF5, the version."""
