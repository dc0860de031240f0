"""Scores of a sequence whose steps come one at a time."""

from __future__ import annotations

import numpy as np

from seqkit.data.dataset import usable
from seqkit.errors import DataError, ShapeError
from seqkit.estimators.detector_scores import Scores, ScoreStream
from seqkit.estimators.detector_season import Usual
from seqkit.estimators.inputs import as_numbers
from seqkit.model import Sequential


class DetectorStream:
    """The state of one sequence; :meth:`SequenceAnomalyDetector.stream` makes one."""

    def __init__(
        self, model: Sequential, mean: np.ndarray, deviation: np.ndarray, season: int, scores: Scores, warmup: int
    ) -> None:
        self._model, self._mean, self._deviation, self._warmup = model, mean, deviation, warmup
        self._usual, self._score = Usual(season), ScoreStream(scores)
        self._expected: np.ndarray | None = None
        _, self._state = model.step(np.zeros((1, len(mean))))
        self._steps = 0

    def step(self, x: np.ndarray) -> float:
        """Score of the next step, (F,), the same as where the whole sequence is known."""
        values = np.atleast_1d(as_numbers(x, "a step"))
        if values.shape != self._mean.shape:
            raise ShapeError(f"a step has shape {values.shape}, expected {self._mean.shape}, one value per feature.")
        if not usable(values).all():
            raise DataError(f"a step is {values.tolist()}; fill in what is missing. The stream is as it was before.")
        rest = self._usual.unusual((values - self._mean) / self._deviation)
        self._steps += 1
        if rest is None:
            return 0.0
        score = self._score(np.zeros_like(rest) if self._expected is None else abs(rest - self._expected))
        expected, self._state = self._model.step(rest[None], self._state)
        self._expected = np.array(expected[0], dtype=np.float64)
        return score if self._steps > self._warmup else 0.0
