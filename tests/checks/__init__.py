"""What every recurrent layer must do, as named checks.

A check is a function ``check_<property>(make)``.  `make(dtype, **options)` gives a fresh, built
layer that returns sequences, always with the same parameters for one type; the check runs it
and raises AssertionError where the property does not hold.  ``test_cells.py`` runs every check
on every registered cell, ``test_mutants.py`` runs them on layers that are wrong on purpose.
"""

from checks.bits import (
    check_batch,
    check_calls_are_independent,
    check_inference,
    check_inputs_are_kept,
    check_layout,
    check_list,
    check_more_padding,
    check_nan_in_padding,
    check_split_in_time,
    check_steps,
    check_streams,
    check_threads,
)
from checks.gradients import (
    check_gradients,
    check_gradients_accumulate,
    check_gradients_in_single_precision,
    check_without_input_gradient,
)
from checks.values import check_last_output, check_new_parameters, check_paper, check_reference, check_trace

CHECKS = {
    check.__name__: check
    for check in (
        check_reference,
        check_paper,
        check_last_output,
        check_trace,
        check_new_parameters,
        check_gradients,
        check_gradients_in_single_precision,
        check_gradients_accumulate,
        check_without_input_gradient,
        check_nan_in_padding,
        check_more_padding,
        check_batch,
        check_threads,
        check_split_in_time,
        check_steps,
        check_streams,
        check_list,
        check_layout,
        check_inference,
        check_calls_are_independent,
        check_inputs_are_kept,
    )
}

__all__ = [*CHECKS, "CHECKS"]
