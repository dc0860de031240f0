"""Some checks on some cells, with the instruction set that this process has: python -m checks."""

from __future__ import annotations

from checks import CHECKS
from checks.language import LANGUAGE, Groups
from checks.subjects import SUBJECTS, maker, registered
from checks.zoo import ZOO
from seqkit import _core

OF_THE_ENGINE = (
    "check_reference",
    "check_gradients",
    "check_gradients_in_single_precision",
    "check_nan_in_padding",
    "check_batch",
)


def main() -> None:
    """Run the checks; an AssertionError ends the process with its traceback."""
    print(f"instruction set {_core.isa}")
    cells = {name: SUBJECTS[f"{name}-17x5-backwards"] for name in registered()}
    cells |= {name: maker(ZOO[name], 33, 3) for name in ("ManyProducts", "LayerNorm", "Kinks", "Smooth", "ManyGates")}
    cells |= {"Reductions": maker(LANGUAGE["Reductions"], 33, 3), "Groups": maker(Groups, 66, 3, groups=11)}
    for name, make in cells.items():
        for check in OF_THE_ENGINE:
            CHECKS[check](make)
            print(f"{name}: {check}")


if __name__ == "__main__":
    main()
