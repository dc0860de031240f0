"""What is found in the layers of a model, as numbers, as text and for JSON.

Legend: U units.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seqkit.explain.by_lag import Lags
from seqkit.explain.following import Following

LEFT, RIGHT = 0.1, 0.9
DEAD = 0.01
SHOWN_UNITS = 8


def _plain(values: np.ndarray) -> list[float | None]:
    """Numbers as JSON knows them."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


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
        Steps after which half of a unit's state is left, :func:`~seqkit.explain.half_life`.
    saturation : dict of str to (ndarray, ndarray), each (U,)
        Of every gate: shares of the steps at which it is below 0.1 (left-saturated), and above 0.9 (right-saturated:
        Karpathy, Johnson and Fei-Fei, "Visualizing and understanding recurrent networks", 2015).
    activity : ndarray, (U,)
        Largest magnitude of the output, or of the memory where the output is projected to fewer numbers.
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
        """Plain values that JSON can hold; an infinite half-life is None, as is what is not a number."""
        lives = None if self.half_life is None else _plain(self.half_life)
        stuck = {gate: {"left": low.tolist(), "right": high.tolist()} for gate, (low, high) in self.saturation.items()}
        plain = {name: getattr(self, name) for name in ("layer", "cell", "memory", "kept_by")}
        follows = [[asdict(one) for one in found] for found in self.follows]
        return plain | {
            "half_life": lives,
            "saturation": stuck,
            "activity": _plain(self.activity),
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
            "norm": _plain(self.lags.norm),
            "count": self.lags.count.tolist(),
            "reach_90": self.lags.reach(0.9),
            "outputs": self.lags.outputs,
        }
        return {"layers": [layer.to_dict() for layer in self.layers], "gradient_by_lag": lags}

    def __str__(self) -> str:
        parts = [str(layer) for layer in self.layers]
        if self.lags is not None and len(self.lags.norm):
            half, most = self.lags.reach(0.5), self.lags.reach(0.9)
            of = f"{self.lags.outputs} outputs" if self.lags.outputs > 1 else "the output"
            parts.append(f"gradient of {of} by lag: half of it within {half} and 90 % within {most} steps of the end")
        return "\n".join(parts)
