"""What runs in the process of a submission. Nothing here imports rnnkit: submissions must not be able to."""
