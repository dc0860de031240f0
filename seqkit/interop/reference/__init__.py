"""What other libraries compute, in float64 NumPy: their equations, their options, their layout of weights.

Slow, short and without anything of seqkit, so that a conversion can be proven where the other library is not
installed.  ``tests/test_references.py`` ties each of them to its library.
"""
