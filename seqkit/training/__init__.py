"""Training: losses, optimizers, metrics and the loop that brings them together."""
