"""Layers that are wrong in one way each, and the check that must say so.

``test_kit.py`` runs the check on each; the layers that they are made of pass all of them.
"""

from checks.broken import called, declared, ordered
from checks.broken.declared import Silent
from checks.broken.harmful import HARMFUL, Crashes, CrashesAtOnce, Exits, Leaves, NeverEnds
from checks.broken.right import BROKEN, RIGHT, Plain, name_of

__all__ = [
    "BROKEN", "HARMFUL", "RIGHT", "Crashes", "CrashesAtOnce", "Exits", "Leaves", "NeverEnds", "Plain", "Silent",
    "called", "declared", "name_of", "ordered",
]  # fmt: skip
