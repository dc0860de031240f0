"""For other compiled modules: one step of a task."""
