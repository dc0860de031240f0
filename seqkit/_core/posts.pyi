"""For other compiled modules: products of the backward pass."""
