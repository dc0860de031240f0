"""Made-up health records: values measured at uneven times, few of them at once.

Legend: S samples (patients), T visits, V variables.
"""

from __future__ import annotations

import numpy as np

from seqkit.data.synthetic import Synthetic
from seqkit.errors import ConfigError

HOURS = 48.0
RATES = (0.9, 0.7, 0.5, 0.35, 0.25, 0.15)
"""How often a variable is measured at a visit: some at almost each, some seldom."""


def irregular_records(
    samples: int, informative: float = 1.0, seed: int | np.random.Generator | None = None
) -> Synthetic:
    r"""Outcome of a stay of 48 hours from six variables that are measured now and then.

    - Patients get better or worse: a severity :math:`s(t) = a + b\,t / 48` with a and b standard normal.
      The outcome is 1 with probability :math:`1 / (1 + e^{-3 (s(48) - 1)})`, so no answer is always right.
    - Variable v follows it with its own sign and weight :math:`w_v`, 0.5 to 1 in size, and wanders:
      :math:`w_v s(t) + n_v(t)` with an Ornstein-Uhlenbeck process n of deviation 1 that forgets in 12 hours.
    - Visits come at random, 2 hours apart on average, and :math:`e^{-c\,s/2}` times that where s is the
      severity then and c is `informative`.
    - At a visit, variable v is measured with a probability whose log odds are those of `RATES`, plus :math:`c\,s`.

    With ``informative=0`` it says nothing that something was measured; else a patient who is looked at
    often is worse.  Sequences differ in length, steps in time.

    Parameters
    ----------
    samples : int
        S.
    informative : float
        How much the severity has to do with what is measured, 0 or more.
    seed : int or Generator, optional
        Source of the samples.

    Returns
    -------
    Synthetic
        x (S, T, 18): six values (0 where not measured), six masks (1 measured, else 0) and the hours
        since each was measured last (0 at the first visit), which is what a GRU-D takes; y (S, 1).

    Examples
    --------
    >>> data = irregular_records(3, seed=0)
    >>> data.x.shape[2], data.y.shape
    (18, (3, 1))
    >>> bool((data.x[..., :6][data.x[..., 6:12] == 0] == 0).all())
    True
    """
    if informative < 0:
        raise ConfigError(f"irregular_records: informative must be 0 or more, got {informative!r}.")
    rng = np.random.default_rng(seed)
    weights = np.array([1.0, -0.9, 0.8, -0.7, 0.6, 0.5])
    level, trend = rng.normal(size=(2, samples))
    outcome = rng.random(samples) < 1 / (1 + np.exp(-3 * (level + trend - 1)))
    stays = [_stay(a, b, informative, weights, rng) for a, b in zip(level, trend, strict=True)]
    lengths = np.array([len(stay) for stay in stays], dtype=np.int64)
    x = np.zeros((samples, int(lengths.max(initial=0)), 3 * len(RATES)), dtype=np.float32)
    for row, stay in enumerate(stays):
        x[row, : len(stay)] = stay
    return Synthetic(x, outcome[:, None].astype(np.float32), lengths)


def _stay(level: float, trend: float, informative: float, weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Values, masks and gaps of a patient, (T, 3 V)."""
    times = _visits(level, trend, informative, rng)
    severity = level + trend * times / HOURS
    odds = np.log(np.array(RATES) / (1 - np.array(RATES))) + informative * severity[:, None]
    mask = rng.random(odds.shape) < 1 / (1 + np.exp(-odds))
    values = weights * severity[:, None] + _wandering(times, len(weights), rng)
    return np.concatenate([np.where(mask, values, 0.0), mask, gaps(times, mask)], axis=1)


def _visits(level: float, trend: float, informative: float, rng: np.random.Generator) -> np.ndarray:
    """Hours of the visits, at least one."""
    times = [0.0]
    while True:
        severity = level + trend * times[-1] / HOURS
        wait = rng.exponential(2.0 * np.exp(-0.5 * informative * np.clip(severity, -4, 4)))
        if times[-1] + wait > HOURS:
            return np.array(times)
        times.append(times[-1] + wait)


def _wandering(times: np.ndarray, variables: int, rng: np.random.Generator) -> np.ndarray:
    """An Ornstein-Uhlenbeck process at uneven times, (T, V)."""
    kept = np.exp(-np.diff(times) / 12.0)
    noise = rng.normal(size=(len(times), variables))
    for step, share in enumerate(kept, start=1):
        noise[step] = share * noise[step - 1] + np.sqrt(1 - share**2) * noise[step]
    return noise


def gaps(times: np.ndarray, mask: np.ndarray) -> np.ndarray:
    r"""Time since each variable was measured last, (T, V).

    :math:`\delta_0 = 0,\ \delta_t = s_t - s_{t-1} + (1 - m_{t-1}) \delta_{t-1}`: equation 2 of Che et al.,
    "Recurrent neural networks for multivariate time series with missing values", Scientific Reports 8, 2018.

    Parameters
    ----------
    times : ndarray, (T,)
        s, not falling.
    mask : ndarray, (T, V)
        m, 1 or True where a variable was measured.

    Examples
    --------
    >>> gaps(np.array([0.0, 1.0, 3.0]), np.array([[1], [0], [1]])).ravel().tolist()
    [0.0, 1.0, 3.0]
    """
    found = np.zeros(np.shape(mask))
    for step, passed in enumerate(np.diff(times), start=1):
        found[step] = passed + np.where(mask[step - 1], 0.0, found[step - 1])
    return found


def carried_forward(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Each value, or where it was not measured the last one that was, else 0; (T, V).

    Examples
    --------
    >>> carried_forward(np.array([[9.0], [2.0], [0.0]]), np.array([[0], [1], [0]])).ravel().tolist()
    [0.0, 2.0, 2.0]
    """
    found = np.where(mask, values, 0.0)
    for step in range(1, len(found)):
        found[step] = np.where(mask[step], values[step], found[step - 1])
    return found
