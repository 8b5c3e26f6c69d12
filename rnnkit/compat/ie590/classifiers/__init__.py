"""The captioning network, where the assignment has it."""
