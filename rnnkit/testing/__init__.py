"""The gradient harness: every plugin checked by itself, wrong gradients found and explained."""
