"""What rnnkit needs of the machine: threads, whole files, HDF5, text for terminals, its own version."""
