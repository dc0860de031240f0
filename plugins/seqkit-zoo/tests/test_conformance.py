"""Every cell passes the conformance kit."""

from __future__ import annotations

from collections.abc import Callable

from cells import CELLS, VARIANTS

import seqkit
from seqkit.testing import parametrize_layer_checks

CLASSES = [cell for name, cell in CELLS.items() if name != "phased_lstm"]
LAYERS = [seqkit.Recurrent(CELLS[name], 18, **options) for name, options in VARIANTS]

# The kit's tolerances are for functions of moderate slope; a variant with wider gates meets them.
STEEP = "between closed and open a time gate has the slope 2 / 0.05, which multiplies rounding by 40"


@parametrize_layer_checks(*CLASSES, *LAYERS)
def test_conformance(check: Callable[[], None]) -> None:
    check()


@parametrize_layer_checks(
    CELLS["phased_lstm"],
    expected_failures={
        "check_reference": STEEP,
        "check_gradients_in_single_precision": STEEP,
        "check_gradients_of_a_stack": STEEP,
    },
)
def test_conformance_of_the_phased_lstm(check: Callable[[], None]) -> None:
    check()
