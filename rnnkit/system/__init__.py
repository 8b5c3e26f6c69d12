"""What rnnkit needs of the machine: threads, files written whole or not at all, HDF5, its own version."""
