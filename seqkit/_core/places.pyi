"""For other compiled modules: where values lie."""
