"""One HTML file to look around in: a person moves along a sequence and sees gates, states and saliency.

The file holds everything and loads nothing: a policy in its head forbids it, and allows only the one script and the one
style that were written, by their hashes.  Names and texts go in as JSON that cannot end its element, and are shown as
text only.

Legend: T time, U units, K outputs.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqkit.errors import ConfigError
from seqkit.explain.attribution import integrated_gradients, saliency
from seqkit.explain.recording import Tape, tape
from seqkit.explain.subject import Batch, Subject
from seqkit.explain.summaries import LayerSummary, Summary, default_names, summary
from seqkit.layer import Layer
from seqkit.model import Sequential

METHODS = {"integrated_gradients": integrated_gradients, "gradient": saliency}
MOST_BYTES = 6_000_000
"""Of the numbers on a page; what is more is thinned out, and the page says so."""
MOST_STEPS = 20_000
EVERY_STEP = 256
"""Longest sequence for which the output of each step, and what it depends on, is computed by itself."""
AT_ONCE = 32
SCRIPTS = ("numbers.js", "charts.js", "tables.js", "moving.js")
FILES = Path(__file__).with_name("html")


def page(
    model: Sequential | Layer,
    x: Any,
    path: str | Path,
    *,
    text: Sequence[str] | None = None,
    lengths: Any = None,
    sequence: int = 0,
    features: Sequence[str] | None = None,
    inputs: np.ndarray | None = None,
    outputs: Sequence[str] | None = None,
    target: int | None = None,
    method: str = "integrated_gradients",
    title: str = "Inside the gates",
    found: Summary | None = None,
) -> Path:
    """Write a page about one sequence.

    Parameters
    ----------
    model : Sequential or Layer
    x : array (B, T, F), ids (B, T), or list of sequences
    path : path-like
        The file to write.
    text : sequence of str, optional
        What each step of the sequence is, where it is a character or a word.
    lengths : array_like of int (B,), optional
        True lengths of right-padded sequences.
    sequence : int
        Which of the sequences is shown; half-lives and what units follow are those over all of them.
    features, outputs : sequence of str, optional
        Names.
    inputs : ndarray (T, F), optional
        Numbers to show in place of those that the model sees, as before scaling.
    target : int, optional
        Output to explain; by default the largest.
    method : {"integrated_gradients", "gradient"}
        How saliency is computed: :func:`~seqkit.explain.integrated_gradients`, or the gradient times the input.
    title : str
    found : Summary, optional
        What :func:`~seqkit.explain.summary` gave, where it is there already.

    Returns
    -------
    Path
        That of the file.

    Raises
    ------
    ConfigError
        If there is no such sequence or method, or no recurrent layer that reads every step.
    """
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    if not 0 <= sequence < len(batch.lengths) or not batch.lengths[sequence]:
        raise ConfigError(f"page: sequence {sequence} has no steps or is not among 0 to {len(batch.lengths) - 1}.")
    if method not in METHODS:
        raise ConfigError(f"page: method is {method!r}, expected one of {', '.join(METHODS)}.")
    one = batch.select([sequence])
    time = int(one.lengths[0])
    names = list(features) if features is not None else default_names(batch)
    known = summary(model, batch.x, lengths=batch.lengths, features=names, lags=False) if found is None else found
    record = tape(model, one.x, lengths=one.lengths)
    shown, notes = min(time, MOST_STEPS), []
    if shown < time:
        notes.append(f"The sequence has {time} steps; the first {shown} are shown.")
    values = np.asarray(one.x[0] if inputs is None else inputs)
    ids = one.x.ndim == 2
    importance = _importance(model, one, target, method)
    data = {
        "steps": shown,
        "text": [str(token) for token in text][:shown] if text is not None else _as_text(one) if ids else None,
        "features": [] if ids else names,
        "input": None if ids else _table(values[:shown]),
        "outputs": _output_names(outputs, record.output),
        "output": _output(subject, one, record.output, shown),
        "saliency": _table(importance[:shown, :shown]),
        "layers": _layers(known, record, time, shown, notes),
    }
    data["about"] = _about(time, sequence, len(batch.lengths), method, target, data["outputs"], record.output)
    data["notes"] = notes
    if not data["layers"]:
        raise ConfigError("page: the model has no recurrent layer that reads every step of the input.")
    written = Path(path)
    written.write_text(render(title, data), encoding="utf-8")
    return written


def render(title: str, data: dict[str, Any]) -> str:
    """The file's text."""
    style = (FILES / "page.css").read_text(encoding="utf-8")
    parts = "\n".join((FILES / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{parts}}})();\n'
    policy = (
        f"default-src 'none'; script-src {_digest(script)}; style-src {_digest(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    words = {
        "title": html.escape(title),
        "policy": policy,
        "style": style,
        "script": script,
        "data": _inert(json.dumps(data, allow_nan=False)),
    }
    template = (FILES / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: words[match[1]], template)  # one pass: data are not looked into


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(text: str) -> str:
    """JSON in which nothing can end the element that it stands in, or begin another."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _table(values: np.ndarray) -> dict[str, Any]:
    """A table (T, columns) of float32 for the page."""
    rows = np.ascontiguousarray(values, "<f4")
    return {"columns": rows.shape[1], "data": base64.b64encode(rows.tobytes()).decode()}


def _as_text(one: Batch) -> list[str]:
    return [str(number) for number in one.x[0]]


def _layers(known: Summary, record: Tape, time: int, shown: int, notes: list[str]) -> list[dict[str, Any]]:
    """The layers that read every step."""
    fitting = [layer for layer in known.layers if _steps(record, layer.layer) == time]
    if len(fitting) < len(known.layers):
        left = ", ".join(layer.layer for layer in known.layers if layer not in fitting)
        notes.append(f"Not shown, because they read other steps than those of the input: {left}.")
    tables = sum(len(record.of_layer(layer.layer)) for layer in fitting)
    most = max(8, MOST_BYTES // max(1, 4 * shown * tables))
    return [_layer(layer, record, shown, most, notes) for layer in fitting]


def _steps(record: Tape, layer: str) -> int:
    return int(record.lengths[f"{layer}.{next(iter(record.of_layer(layer)))}"][0])


def _layer(layer: LayerSummary, record: Tape, shown: int, most: int, notes: list[str]) -> dict[str, Any]:
    """One layer: its values, of some of the units if there are too many for a page."""
    ranked = layer.ranked()
    units = np.arange(len(ranked))
    if len(units) > most:
        units = np.sort(ranked[np.linspace(0, len(ranked) - 1, most).round().astype(int)])
        notes.append(f"{layer.layer}: {most} of {len(ranked)} units are shown, evenly chosen in the order of the list.")
    values = {
        name: value[0, :shown][:, units] for name, value in record.of_layer(layer.layer).items()
        if value.shape[2] == len(ranked) or name == layer.memory
    }  # fmt: skip
    lives = layer.to_dict()["half_life"]
    return {
        "name": layer.layer,
        "cell": layer.cell,
        "memory": layer.memory,
        "units": units.tolist(),
        "half_life": None if lives is None else [lives[unit] for unit in units],
        "activity": layer.activity[units].tolist(),
        "follows": [[str(told) for told in layer.follows[unit]] for unit in units],
        "values": {name: _table(value) for name, value in values.items()},
    }


def _importance(model: Sequential | Layer, one: Batch, target: int | None, method: str) -> np.ndarray:
    """Saliency by step: (T, 1) of the last output or, where steps have outputs and are few, (T, T) of each one."""
    time = int(one.lengths[0])
    options: dict[str, Any] = {"times_input": True} if method == "gradient" else {}
    explain = METHODS[method]
    if not model.returns_sequences or time > EVERY_STEP:
        return explain(model, one.x, target, lengths=one.lengths, **options).by_step.T
    rows = []
    for steps in np.array_split(np.arange(time), -(-time // AT_ONCE)):
        repeated = np.repeat(one.x, len(steps), axis=0)
        lengths = np.full(len(steps), time)
        rows.append(explain(model, repeated, target, step=steps, lengths=lengths, **options).by_step)
    return np.concatenate(rows)


def _output(subject: Subject, one: Batch, y: np.ndarray, shown: int) -> dict[str, Any] | None:
    """The output of every step; of a model that gives one vector, what it would give if the sequence ended there."""
    if y.ndim == 3:
        return {"title": "output", **_table(y[0, :shown])}
    time = int(one.lengths[0])
    if time > EVERY_STEP:
        return None
    rows = []
    for ends in np.array_split(np.arange(1, time + 1), -(-time // AT_ONCE)):
        repeated = np.repeat(one.x[:, : ends[-1]], len(ends), axis=0)
        rows.append(subject.output(Batch(repeated, ends)))
    return {"title": "output so far", **_table(np.concatenate(rows))}


def _output_names(outputs: Sequence[str] | None, y: np.ndarray) -> list[str]:
    if outputs is not None:
        return [str(name) for name in outputs]
    return [f"output {number}" for number in range(y.shape[-1])]


def _about(
    time: int, sequence: int, count: int, method: str, target: int | None, outputs: list[str], y: np.ndarray
) -> str:
    last = y[0, time - 1] if y.ndim == 3 else y[0]
    number = int(last.argmax()) if target is None else target
    which = f"sequence {sequence} of {count}, " if count > 1 else ""
    how = {"integrated_gradients": "integrated gradients", "gradient": "gradient times input"}[method]
    each = "each step's largest output" if y.ndim == 3 and time <= EVERY_STEP and target is None else outputs[number]
    return (
        f"{which}{time} steps; at the end {outputs[number]} is {last[number]:.4g}. "
        f"Saliency: {how} of {each}, summed over the features of a step."
    )
