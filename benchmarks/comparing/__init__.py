"""Two commits of seqkit, compared on one machine; run by ``compare.py`` beside this folder.

``builds`` makes an environment of each commit, ``workers`` keeps a process in each, ``worker``
is what such a process runs, ``looks`` takes turns and says how sure a ratio is, ``report``
prints.  Nothing here imports seqkit, except the worker: the version that it measures.
"""
