"""Figures that sum a tape up: how long units remember, which gates are stuck, which units are dead, what they follow.

Legend: B batch, T time, U units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.batch import Batch
from seqkit.explain.by_lag import gradient_by_lag
from seqkit.explain.findings import LEFT, RIGHT, LayerSummary, Summary
from seqkit.explain.following import Explanation, Following, explanations, following
from seqkit.explain.memory import Retention, half_life, memory_state, retention
from seqkit.explain.recording import tape
from seqkit.explain.subject import Subject
from seqkit.explain.tapes import Tape
from seqkit.layer import Layer
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent

MOST_OUTPUTS = 16


def summary(
    model: Sequential | Layer,
    x: Any,
    *,
    lengths: Any = None,
    target: Any = None,
    features: Sequence[str] | None = None,
    target_names: Sequence[str] | None = None,
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
    features, target_names : sequence of str, optional
        Names of the features, or of the ids; and of the K numbers of the target.
    gates : str or dict of str to str, optional
        The value that multiplies the state at a step, as "f" or "1 - f", of all layers or by "place.direction"; read
        from the equations by default, where they have one.
    lags : bool
        Whether to compute gradients by lag, of the 16 outputs that are largest on average if there are more.
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
    record = tape(model, batch) if recorded is None else recorded
    layers = []
    for name, layer in subject.recurrent.items():
        if name not in record.layers:
            continue
        candidates = _candidates(batch, record, name, target, features, target_names)
        gate = gates.get(name) if isinstance(gates, Mapping) else gates
        layers.append(_summarize(name, layer, record, retention(layer, gate), candidates))
    return Summary(layers, gradient_by_lag(model, batch, targets=_largest(record.output)) if lags else None)


def _largest(y: np.ndarray) -> list[int]:
    """The outputs whose gradients are computed: those that are largest on average, if there are many."""
    outputs = y.shape[-1]
    mean = y.reshape(-1, outputs).mean(axis=0) if y.size else np.zeros(outputs)
    return sorted(np.argsort(-mean, kind="stable")[:MOST_OUTPUTS].tolist())


def _candidates(
    batch: Batch,
    record: Tape,
    layer: str,
    target: Any,
    features: Sequence[str] | None,
    target_names: Sequence[str] | None,
) -> list[Explanation]:
    """What the units of a layer may follow; nothing where it reads other steps than the model."""
    name = next(name for name in record if name.rpartition(".")[0] == layer)
    if not np.array_equal(record.lengths[name], batch.lengths):
        return []
    names = names_of(batch, features)
    return list(explanations(batch, names, target, target_names, backwards=layer.endswith(".backward")))


def names_of(batch: Batch, features: Sequence[str] | None) -> list[str]:
    """Names of the features or ids: those that are given, else numbers.

    Raises
    ------
    ConfigError
        If there is not one for each.
    """
    count = int(batch.x[batch.valid].max(initial=0)) + 1 if batch.ids else batch.x.shape[2]
    if features is None:
        return [f"{'id' if batch.ids else 'feature'} {number}" for number in range(count)]
    if len(features) < count or (len(features) > count and not batch.ids):
        raise ConfigError(f"explain: {len(features)} names are given for {count} {'ids' if batch.ids else 'features'}.")
    return list(features)


def _summarize(
    name: str, layer: Recurrent, record: Tape, kept: Retention | None, candidates: list[Explanation]
) -> LayerSummary:
    memory, output = memory_state(layer) if kept is None else kept.state, layer.cell.states[0]
    if record[f"{name}.{output}"].shape != record[f"{name}.{memory}"].shape:  # a projection, whose numbers are no units
        output = memory
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
