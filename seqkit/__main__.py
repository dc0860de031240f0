"""``python -m seqkit``: the command line."""

from seqkit.cli import main

if __name__ == "__main__":
    main()
