"""What `fit` makes of its arguments before it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqkit.errors import ConfigError
from seqkit.options import fraction, positive_integer
from seqkit.stack import Stack
from seqkit.training.batches import Part, Samples


def parts(
    samples: Callable[..., Samples], given: Sequence[Any], share: float, data: Sequence[Any] | None
) -> tuple[Part, Part | None]:
    """The samples to train on, and those to measure.

    Parameters
    ----------
    samples : callable
        Makes samples of inputs, targets, weights and lengths.
    given : (x, y, sample_weight, lengths)
    share : float
        Share of them, the last ones, that is held out where there is no `data`.
    data : (x, y), (x, y, sample_weight) or (x, y, sample_weight, lengths), optional
        What is measured instead.

    Raises
    ------
    ConfigError
        If a part has no samples, or `data` has another form.
    """
    whole = samples(*given)
    train, held_out = Part.whole(whole).split(0.0 if data else fraction(share, "validation_split"))
    if len(train.rows) == 0:
        raise ConfigError(f"no samples to train on: there are {len(whole)} and validation_split is {share}.")
    if not data:
        return train, held_out if len(held_out.rows) else None
    if not 2 <= len(data) <= 4:
        raise ConfigError(f"validation_data is (x, y, sample_weight, lengths) or the first of it, got {len(data)}.")
    measured = Part.whole(samples(*(*data, None, None)[:4]))
    if len(measured.rows) == 0:
        raise ConfigError("validation_data holds no samples.")
    return train, measured


def check_batches(model: Stack, part: Part | None, batch_size: int) -> None:
    """Raise ConfigError unless batches can have this size."""
    positive_integer(batch_size, "batch_size")
    if part is not None and model.stateful and len(part.rows) % batch_size:
        raise ConfigError(
            f"{model.name}: a stateful layer needs batches of one size, but {len(part.rows)} samples are not a "
            f"multiple of batch_size={batch_size}."
        )
