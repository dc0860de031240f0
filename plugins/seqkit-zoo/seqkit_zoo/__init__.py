"""Recurrent cells of the literature as equations for seqkit.

One cell a file.  With the package installed, every cell has a name that ``seqkit.create``, model
files and the command line know; importing this package imports none of them.
"""
