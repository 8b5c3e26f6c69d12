"""How fast and how frugal rnnkit is, beside PyTorch, JAX, plain NumPy and the bare matrix products: `make bench`."""
