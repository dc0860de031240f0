"""Cells: one file each, named as it is registered."""
