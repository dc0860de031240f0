"""Feed-forward layers and wrappers, one per file; names lead to them through seqkit.registry."""
