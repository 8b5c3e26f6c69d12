"""What must hold of a forward and a backward pass beside the gradient itself."""

from rnnkit.testing.laws.arrays import arrays_are_whole, gradients_fit_leaves
from rnnkit.testing.laws.interleaving import calls_do_not_meet
from rnnkit.testing.laws.linear import parts_add_up, scales_to_the_bit, zero_gives_zero
from rnnkit.testing.laws.memory import (
    bits_repeat,
    caches_are_their_own,
    memory_order_does_not_matter,
    results_are_their_own,
)
from rnnkit.testing.laws.rows import rows_are_independent
from rnnkit.testing.laws.running import close, run_backward, run_forward
from rnnkit.testing.laws.single import single_precision

__all__ = [
    "arrays_are_whole",
    "bits_repeat",
    "caches_are_their_own",
    "calls_do_not_meet",
    "close",
    "gradients_fit_leaves",
    "memory_order_does_not_matter",
    "parts_add_up",
    "results_are_their_own",
    "rows_are_independent",
    "run_backward",
    "run_forward",
    "scales_to_the_bit",
    "single_precision",
    "zero_gives_zero",
]
