"""Find what is not normal in sequences.

Legend: N sequences, T_i steps, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from seqkit.errors import ConfigError, DataError
from seqkit.estimators import detector_forecast, detector_reconstruct
from seqkit.estimators.detector_scores import Alarm, Scores, alarms
from seqkit.estimators.detector_season import find_season, unusual
from seqkit.estimators.detector_stream import DetectorStream
from seqkit.estimators.forecaster_series import is_one
from seqkit.estimators.inputs import as_numbers, as_sequence_list
from seqkit.estimators.series_network import SeriesNetwork
from seqkit.model import Sequential
from seqkit.options import by_name, is_real, positive_integer, positive_number
from seqkit.tasks.scaling import as_input, is_constant
from seqkit.tasks.settings import require_recurrent

METHODS = MappingProxyType({"forecast": detector_forecast, "reconstruct": detector_reconstruct})
HELD_OUT = 0.2
"""Share of the windows, the last ones, that choose the epoch whose weights are kept."""


@dataclass(eq=False, repr=False, kw_only=True)
class SequenceAnomalyDetector(OutlierMixin, SeriesNetwork):
    """Scores of every step and of whole sequences, high where they are not like the training data.

    Values are scaled by mean and standard deviation of the training data and, where there is a
    season, measured from the median of the same phase in the last three seasons.  A network is
    trained to forecast or to reconstruct what remains; its errors, averaged over one step and
    over `smoothing` steps, become scores (:mod:`seqkit.estimators.detector_scores`): 1 is the
    worst of the training data.

    Parameters
    ----------
    method : {"forecast", "reconstruct"}
        What the network learns, see :mod:`seqkit.estimators.detector_forecast` and
        :mod:`seqkit.estimators.detector_reconstruct`.
    window : int
        Steps that the network is trained on at once; for "reconstruct" also those it reads.
    season : int or "auto", optional
        Period of a pattern; "auto" looks for one in the training data.  The first season of every
        sequence has no score.
    smoothing : int
        Steps of the longer mean of errors, and the longest gap inside one alarm.
    threshold : float
        Score above which a step is an alarm, where `contamination` is "auto".
    contamination : "auto" or float
        Share of the training sequences that are outliers, instead of the threshold.
    warmup : int
        Steps at the start of every sequence that are read and have no score.
    cell, units, layers, dropout, epochs, batch_size, learning_rate, random_state, verbose
        The network and its training: the learning rate falls to 0 over the epochs.

    Attributes
    ----------
    model_ : Sequential
    history_ : History
    season_ : int
        0 for none.
    threshold_ : float
        Score above which a step is an alarm.
    offset_ : float
        Minus the threshold, in scikit-learn's words.
    scores_ : Scores
        How errors become scores.
    n_features_in_ : int

    Notes
    -----
    ``predict`` and ``decision_function`` are scikit-learn's: one answer per sequence, that of its
    worst step.  The training data should be normal, or nearly.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> usual = np.sin(np.arange(600) / 5) + 0.1 * rng.normal(size=600)
    >>> detector = SequenceAnomalyDetector(units=8, epochs=10, random_state=0).fit(usual)
    >>> strange = usual.copy()
    >>> strange[300:310] += 2.0
    >>> [alarm.start for alarm in detector.alarms(strange)[0]]
    [300]
    """

    _parts = MappingProxyType({"scores_": Scores})

    method: str = "forecast"
    window: int = 48
    season: int | str | None = None
    smoothing: int = 48
    threshold: float = 3.0
    contamination: float | str = "auto"
    warmup: int = 0
    units: int = 16
    epochs: int = 20
    batch_size: int = 16

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal.

        Parameters
        ----------
        X : array_like, (T,), (N, T) or (N, T, F), or list of (T_i, F) or (T_i,)
            One series, or sequences.
        y : ignored

        Raises
        ------
        ConfigError
            If an option means nothing.
        DataError
            If sequences are too short, or a value is missing.
        """
        self._check()
        sequences = self._read(X, reset=True)
        steps = np.concatenate(sequences)
        self.mean_ = steps.mean(axis=0)
        self.deviation_ = np.array([1.0 if is_constant(column) else column.std() for column in steps.T])
        self.season_ = find_season(sequences) if self.season == "auto" else int(self.season or 0)
        rests = [rest for rest in self._rests(sequences) if len(rest)]
        if not rests:
            raise DataError(f"{self._name}: no sequence is longer than a season of {self.season_} steps.")
        self.window_ = min(self.window, min(map(len, rests)) if self.method == "reconstruct" else max(map(len, rests)))
        method = METHODS[self.method]
        settings = self._settings()
        model = Sequential(method.layers(settings, len(self.mean_), self.window_), seed=settings.seed)
        x, targets = method.examples(rests, self.window_)
        # What the network has learned by heart would make the errors of new data look large.
        held_out = HELD_OUT if len(x) * HELD_OUT >= 1 else 0.0
        self._fit_network(model, x, targets, "mse", settings, held_out)
        self.scores_ = Scores.of(method.errors(self.model_, rests, self.window_, self._name), self.smoothing)
        self.threshold_ = float(self.threshold)
        if not isinstance(self.contamination, str):
            self.threshold_ = -float(np.quantile(self.score_samples(X), self.contamination))
        self.offset_ = -self.threshold_
        return self

    def score_steps(self, X: Any) -> list[np.ndarray]:
        """Scores of every step, (T_i,) each: 0 is normal, 1 the worst of the training data."""
        check_is_fitted(self)
        sequences = self._read(X)
        rests = self._rests(sequences)
        known = [rest for rest in rests if len(rest)]
        errors = iter(METHODS[self.method].errors(self.model_, known, self.window_, self._name))
        return [
            self._scored(next(errors), len(x)) if len(rest) else np.zeros(len(x))
            for x, rest in zip(sequences, rests, strict=True)
        ]

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the highest score of every sequence, (N,): the lower, the less normal."""
        return -np.array([scores.max(initial=0.0) for scores in self.score_steps(X)])

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` above `offset_`, (N,): negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """-1 for sequences with an alarm, 1 for others, (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def alarms(self, X: Any) -> list[list[Alarm]]:
        """Stretches of every sequence where scores are above the threshold: start, end, peak and its score."""
        return [self.alarms_of(scores) for scores in self.score_steps(X)]

    def alarms_of(self, scores: np.ndarray) -> list[Alarm]:
        """The same for the scores (T,) of one sequence."""
        check_is_fitted(self)
        return alarms(np.asarray(scores), self.threshold_, self.smoothing)

    def stream(self) -> DetectorStream:
        """Scores for a sequence whose steps come one at a time: ``stream.step(x)``.

        Raises
        ------
        ConfigError
            If the method is not "forecast".
        """
        check_is_fitted(self)
        if self.method != "forecast":
            raise ConfigError(f'{self._name}: a stream needs method="forecast", this one is "{self.method}".')
        return DetectorStream(self.model_, self.mean_, self.deviation_, self.season_, self.scores_, self.warmup)

    def _check(self) -> None:
        by_name(METHODS, self.method, "method")
        require_recurrent(self.cell)
        for name in ("window", "smoothing"):
            positive_integer(getattr(self, name), f"{self._name}: {name}")
        if self.season not in (None, "auto"):
            positive_integer(self.season, f"{self._name}: season")
        positive_number(self.threshold, f"{self._name}: threshold")
        if self.warmup:
            positive_integer(self.warmup, f"{self._name}: warmup")
        share = self.contamination
        if share != "auto" and (not is_real(share) or not 0 < share <= 0.5):
            raise ConfigError(f'{self._name}: contamination must be "auto" or above 0 and at most 0.5, got {share!r}.')

    def _read(self, X: Any, reset: bool = False) -> list[np.ndarray]:
        """Sequences (T_i, F); one of numbers alone is a series."""
        one = not hasattr(X, "columns") and is_one(X) and np.ndim(X) == 1
        return as_sequence_list([as_numbers(X, f"{self._name}: X")] if one else X, self, reset=reset)

    def _rests(self, sequences: list[np.ndarray]) -> list[np.ndarray]:
        """What the network sees, (T_i - s, F), in standard deviations; nothing of the first season."""
        scaled = [as_input((x - self.mean_) / self.deviation_, self._name) for x in sequences]
        return [unusual(x, self.season_) for x in scaled]

    def _scored(self, errors: np.ndarray, steps: int) -> np.ndarray:
        """Scores of all steps of a sequence, (T,), where errors are of the last ones."""
        scores = np.zeros(steps)
        scores[steps - len(errors) :] = self.scores_(errors)
        scores[: self.warmup] = 0.0
        return scores
