"""What only seqkit's own cells are checked for, beside the public kit of ``seqkit.testing``.

A check is a function ``check_<property>(make)``, as in ``seqkit.testing.checks``.  ``test_conformance.py`` runs all
public checks on every built-in layer; ``test_cells.py`` those of the engine on cells of every size and form.
"""

from checks.papers import check_paper
from seqkit.testing import CHECKS as PUBLIC

OF_THE_ENGINE = (
    "check_reference",
    "check_last_output",
    "check_trace",
    "check_new_parameters",
    "check_gradients",
    "check_gradients_in_single_precision",
    "check_gradients_accumulate",
    "check_without_input_gradient",
    "check_nan_in_padding",
    "check_more_padding",
    "check_batch",
    "check_threads",
    "check_split_in_time",
    "check_steps",
    "check_streams",
    "check_list",
    "check_layout",
    "check_inference",
    "check_calls_are_independent",
    "check_inputs_are_kept",
)
CHECKS = {name: PUBLIC[name] for name in OF_THE_ENGINE} | {"check_paper": check_paper}

__all__ = ["CHECKS", "OF_THE_ENGINE"]
