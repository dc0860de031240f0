"""Readers of data files: CSV tables, NumPy archives, UCR/UEA ``.ts`` files.

:mod:`~seqkit.data.files` chooses the reader; :mod:`~seqkit.data.dataset` is what comes out.
Every complaint about a file is a :class:`~seqkit.errors.DataError` that names the place.
"""
