"""Looking inside: gates, cell states, what an output depends on."""
