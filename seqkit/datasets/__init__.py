"""Public data sets, downloaded once, checked and kept, and local copies of them."""
