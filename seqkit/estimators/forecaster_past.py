"""What a forecast is made from, and the forecast.

Legend: N origins, C values of context, W window, H horizon of the network, K columns known in advance,
P others, Q quantiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from seqkit.errors import ConfigError
from seqkit.estimators.forecaster_frame import Frame
from seqkit.estimators.forecaster_series import Record
from seqkit.model import Sequential
from seqkit.tasks.scaling import as_output

ORIGINS_AT_ONCE = 256


@dataclass(frozen=True)
class Past:
    """What is known at N origins: levels (N, C), columns (N, C, K) and (N, W, P), and scales (N, 1)."""

    levels: np.ndarray
    known: np.ndarray
    others: np.ndarray
    scale: np.ndarray

    @classmethod
    def at(cls, record: Record, ends: Sequence[int] | np.ndarray, scale: float, frame: Frame) -> Self:
        """What is known after so many steps of a series."""

        def last(values: np.ndarray, count: int) -> np.ndarray:
            return values[np.asarray(ends)[:, None] + np.arange(-count, 0)]

        return cls(
            last(record.levels, frame.context),
            last(record.known, frame.context),
            last(record.others, frame.window),
            np.full((len(ends), 1), scale),
        )

    @classmethod
    def joined(cls, parts: Sequence[Past]) -> Self:
        """All origins of several."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def extended(self, records: Sequence[Record]) -> Past:
        """What is known after one more record for every origin."""

        def moved(name: str) -> np.ndarray:
            pairs = zip(getattr(self, name), (getattr(record, name) for record in records), strict=True)
            return np.stack([np.concatenate([old, new])[len(new) :] for old, new in pairs])

        return Past(moved("levels"), moved("known"), moved("others"), self.scale)


def ahead(model: Sequential, frame: Frame, past: Past, future: np.ndarray, steps: int, owner: str) -> np.ndarray:
    """Levels of the next steps, (N, steps, Q).

    The network gives H steps at once; what lies farther is forecast from its own forecasts (of
    several quantiles the middle one).

    Parameters
    ----------
    model : Sequential
    frame : Frame
    past : Past
    future : ndarray, (N, at least the next multiple of H, K)
        The columns that are known in advance.
    steps : int
    owner : str
        For errors.

    Raises
    ------
    ConfigError
        If columns that are not known in advance would be needed later than they are known.
    """
    if past.others.shape[2] and steps > frame.horizon:
        raise ConfigError(
            f"{owner}: {steps} steps cannot be forecast where columns of past are known for none of them; use "
            f'strategy="direct" with that horizon.'
        )
    known = frame.columns(np.concatenate([past.known, future], axis=1))[:, 1:]
    changes = frame.changes(past.levels)
    parts: list[np.ndarray] = []
    for start in range(0, steps, frame.horizon):
        window = changes[:, -frame.window :]
        early = known[:, start : start + frame.window + frame.horizon - 1]
        x = frame.inputs(window, past.scale, early, past.others, owner)
        y = as_output(model.predict(x, ORIGINS_AT_ONCE), owner).reshape(len(x), frame.horizon, -1)
        parts.append(window[:, -1:, None] + past.scale[:, :, None] * y)
        changes = np.concatenate([changes, parts[-1][:, :, y.shape[2] // 2]], axis=1)
    made = np.concatenate(parts, axis=1)[:, :steps]
    return np.stack([frame.sums(quantile, past.levels) for quantile in np.moveaxis(made, 2, 0)], axis=2)
