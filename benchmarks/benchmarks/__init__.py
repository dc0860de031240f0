"""The history of seqkit's speed, memory and accuracy; run by asv, see README.md beside this folder."""
