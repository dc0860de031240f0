"""Model files of strangers: corrupted by the thousand and made by hand, read under a watch.

``harness`` reads files one by one in a ``worker`` process and says what went wrong with which: anything but a model or
a SeqkitError, an import, a file that is opened, much time or memory, a crash, a hang.  ``mutate`` corrupts bytes and
``trees`` what is in them; a module for each format has its seeds, its own ways of damage, and cases made by hand.

``python -m hostile_files FORMAT COUNT SEED`` runs one format from the folder ``tests``; findings are kept as files.
"""
