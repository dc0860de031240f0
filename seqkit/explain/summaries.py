"""Figures that sum a tape up: how long units remember, which gates are stuck, which units are dead, what they follow.

Legend: B batch, T time, U units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqkit.explain.by_lag import Lags, gradient_by_lag
from seqkit.explain.following import LAGS, Explanation, Following, explanations, following
from seqkit.explain.memory import Retention, half_life, memory_state, retention
from seqkit.explain.recording import Tape, tape
from seqkit.explain.subject import Batch, Subject
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent

LEFT, RIGHT = 0.1, 0.9
DEAD = 0.01
SHOWN_UNITS = 8


@dataclass(frozen=True)
class LayerSummary:
    """One direction of one recurrent layer.

    Attributes
    ----------
    layer, cell : str
        Place and direction, "0.forward"; name of the cell.
    memory : str
        The state that remembers.
    kept_by : str or None
        What it is multiplied by at every step, as "f" or "1 - z"; None where no gate does that.
    half_life : ndarray or None, (U,)
        Steps after which half of a unit's state is left, :func:`~seqkit.explain.memory.half_life`.
    saturation : dict of str to (ndarray, ndarray), each (U,)
        Of every gate: shares of the steps at which it is below 0.1 (left-saturated), and above 0.9 (right-saturated:
        Karpathy, Johnson and Fei-Fei, "Visualizing and understanding recurrent networks", 2015).
    activity : ndarray, (U,)
        Largest magnitude of the output.
    follows : list of list of Following
        The best explanations of every unit's memory.
    """

    layer: str
    cell: str
    memory: str
    kept_by: str | None
    half_life: np.ndarray | None
    saturation: dict[str, tuple[np.ndarray, np.ndarray]]
    activity: np.ndarray
    follows: list[list[Following]]

    @property
    def dead(self) -> np.ndarray:
        """Which units never give more than 0.01 in magnitude, (U,)."""
        return self.activity < DEAD

    def ranked(self) -> np.ndarray:
        """Units in the order of their half-lives, the longest first; without them, as well as they are explained."""
        if self.half_life is not None:
            return np.argsort(-self.half_life, kind="stable")
        explained = [abs(found[0].correlation) if found else 0.0 for found in self.follows]
        return np.argsort(-np.array(explained), kind="stable")

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold; an infinite half-life is None."""
        lives = None if self.half_life is None else [None if math.isinf(v) else v for v in self.half_life.tolist()]
        stuck = {gate: {"left": low.tolist(), "right": high.tolist()} for gate, (low, high) in self.saturation.items()}
        plain = {name: getattr(self, name) for name in ("layer", "cell", "memory", "kept_by")}
        follows = [[asdict(one) for one in found] for found in self.follows]
        return plain | {
            "half_life": lives,
            "saturation": stuck,
            "activity": self.activity.tolist(),
            "dead": np.flatnonzero(self.dead).tolist(),
            "follows": follows,
        }

    def __str__(self) -> str:
        units, dead = len(self.activity), int(self.dead.sum())
        lines = [f"{self.layer}: {self.cell}, {units} units" + (f", {dead} dead" if dead else "")]
        if self.half_life is not None:
            low, middle, high = (
                f"{value:.3g}" for value in np.quantile(self.half_life, (0.1, 0.5, 0.9), method="nearest")
            )
            lines.append(
                f"  half-life of {self.memory} ({self.kept_by}): median {middle} steps, 80 % from {low} to {high}"
            )
        for gate, (left, right) in self.saturation.items():
            lines.append(
                f"  gate {gate}: below {LEFT} at {left.mean():.0%} of steps, above {RIGHT} at {right.mean():.0%}"
            )
        lines += [f"  {line}" for line in self._units()]
        return "\n".join(lines)

    def _units(self) -> list[str]:
        ranked = self.ranked()
        lines = []
        for unit in ranked[:SHOWN_UNITS]:
            life = "" if self.half_life is None else f"half-life {self.half_life[unit]:8.3g}  "
            told = ", ".join(map(str, self.follows[unit])) or "nothing that was looked for"
            lines.append(f"unit {unit:3d}  {life}follows {told}")
        return lines + ([f"and {len(ranked) - SHOWN_UNITS} more units"] if len(ranked) > SHOWN_UNITS else [])


@dataclass(frozen=True)
class Summary:
    """What is in a model, on given data.

    Attributes
    ----------
    layers : list of LayerSummary
    lags : Lags or None
        How far back the model looks.
    """

    layers: list[LayerSummary]
    lags: Lags | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        lags = self.lags and {
            "norm": self.lags.norm.tolist(),
            "count": self.lags.count.tolist(),
            "reach_90": self.lags.reach(0.9),
        }
        return {"layers": [layer.to_dict() for layer in self.layers], "gradient_by_lag": lags}

    def __str__(self) -> str:
        parts = [str(layer) for layer in self.layers]
        if self.lags is not None and len(self.lags.norm):
            half, most = self.lags.reach(0.5), self.lags.reach(0.9)
            parts.append(f"gradient by lag: half of it within {half} steps of the end, 90 % within {most}")
        return "\n".join(parts)


def summary(
    model: Sequential | Layer,
    x: Any,
    *,
    lengths: Any = None,
    target: Any = None,
    features: Sequence[str] | None = None,
    gates: Mapping[str, str] | str | None = None,
    lags: bool = True,
    recorded: Tape | None = None,
) -> Summary:
    """How long the units of a model remember, how its gates are used, what its units follow.

    Parameters
    ----------
    model : Sequential or Layer
    x : array (B, T, F), ids (B, T), or list of sequences
    lengths : array_like of int (B,), optional
        True lengths of right-padded sequences.
    target : array_like, (B,), (B, K) or (B, T, K), optional
        What units may follow, too.
    features : sequence of str, optional
        Names of the features, or of the ids.
    gates : str or dict of str to str, optional
        The value that multiplies the state at a step, as "f" or "1 - f", of all layers or by "place.direction"; read
        from the equations by default, where they have one.
    lags : bool
        Whether to compute gradients by lag.
    recorded : Tape, optional
        What :func:`~seqkit.explain.tape` gave for the same data, where it is there already.

    Returns
    -------
    Summary

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.GRU(3), seqkit.Dense(1)], seed=0).build(2)
    >>> found = summary(model, np.random.default_rng(0).standard_normal((4, 30, 2)), features=["speed", "load"])
    >>> found.layers[0].kept_by, found.layers[0].half_life.shape, len(found.lags.norm)
    ('z', (3,), 30)
    >>> print(str(found).splitlines()[0])
    0.forward: gru, 3 units
    """
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    record = tape(model, batch.x, lengths=batch.lengths) if recorded is None else recorded
    layers = []
    for name, layer in subject.recurrent.items():
        if name not in record.layers:
            continue
        gate = gates.get(name) if isinstance(gates, Mapping) else gates
        layers.append(
            _summarize(name, layer, record, retention(layer, gate), _candidates(batch, record, name, target, features))
        )
    return Summary(layers, gradient_by_lag(model, batch.x, lengths=batch.lengths) if lags else None)


def _candidates(
    batch: Batch, record: Tape, layer: str, target: Any, features: Sequence[str] | None
) -> list[Explanation]:
    """What the units of a layer may follow; nothing where it reads other steps than the model."""
    name = next(name for name in record if name.rpartition(".")[0] == layer)
    if not np.array_equal(record.lengths[name], batch.lengths):
        return []
    names = features if features is not None else default_names(batch)
    lags = [-lag for lag in LAGS] if layer.endswith(".backward") else LAGS  # what a direction has read
    return list(explanations(batch, names, None if target is None else np.asarray(target), lags))


def default_names(batch: Batch) -> list[str]:
    """Names of features or ids that have none."""
    if batch.x.ndim == 2:
        return [f"id {number}" for number in range(int(batch.x[batch.valid].max(initial=0)) + 1)]
    return [f"feature {number}" for number in range(batch.x.shape[2])]


def _summarize(
    name: str, layer: Recurrent, record: Tape, kept: Retention | None, candidates: list[Explanation]
) -> LayerSummary:
    memory, output = memory_state(layer) if kept is None else kept.state, layer.cell.states[0]
    gates = {gate: record.steps(f"{name}.{gate}") for gate in layer.cell.gates if f"{name}.{gate}" in record}
    if kept is not None:
        gates.setdefault(kept.value, record.steps(f"{name}.{kept.value}"))
    shares = {
        gate: ((values < LEFT).mean(axis=0), (values > RIGHT).mean(axis=0))
        for gate, values in gates.items()
        if values.size and values.min() >= 0 and values.max() <= 1
    }
    return LayerSummary(
        name,
        layer.name,
        memory,
        None if kept is None else str(kept),
        None if kept is None or not len(gates[kept.value]) else half_life(kept.factor(gates[kept.value])),
        shares,
        np.abs(record.steps(f"{name}.{output}")).max(axis=0, initial=0.0),
        following(record.sequences(f"{name}.{memory}"), candidates)
        if candidates
        else _unexplained(record, name, memory),
    )


def _unexplained(record: Tape, name: str, memory: str) -> list[list[Following]]:
    return [[] for _ in range(record[f"{name}.{memory}"].shape[2])]
