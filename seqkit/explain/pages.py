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

from seqkit.checkpoint import replace
from seqkit.errors import ConfigError
from seqkit.explain.batch import Batch
from seqkit.explain.findings import Summary
from seqkit.explain.page_data import (
    METHODS,
    about,
    importance,
    layers_shown,
    most_telling,
    names_of_outputs,
    outputs_by_step,
    table,
)
from seqkit.explain.recording import tape
from seqkit.explain.subject import Subject
from seqkit.explain.summaries import names_of, summary
from seqkit.layer import Layer
from seqkit.model import Sequential

MOST_STEPS = 20_000
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
        If there is no such sequence or method, no recurrent layer that reads every step, or not a name for each
        feature or output.
    """
    subject = Subject(model)
    batch = Batch.of(subject.model, x, lengths)
    if method not in METHODS:
        raise ConfigError(f"page: method is {method!r}, expected one of {', '.join(METHODS)}.")
    one = batch.one(sequence, "page")
    names = names_of(batch, features)
    known = summary(model, batch, features=names, lags=False) if found is None else found
    record = tape(model, one)
    named = names_of_outputs(record.output, outputs)
    shown = min(int(one.lengths[0]), MOST_STEPS)
    layers, notes = layers_shown(known, record, int(one.lengths[0]), shown)
    if not layers:
        raise ConfigError("page: the model has no recurrent layer that reads every step of the input.")
    given = _input(one, text, names, inputs, shown, notes)
    data = (
        given
        | _output(outputs_by_step(subject, one, record.output), named, shown, notes)
        | {
            "about": about(one, sequence, len(batch.lengths), method, target, named, record.output),
            "steps": shown,
            "saliency": table(importance(model, one, target, method, record.output)[:shown, :shown]),
            "layers": layers,
            "notes": notes,
        }
    )
    written = Path(path)
    replace(written, render(title, data).encode(errors="replace"))  # names of files may be no text
    return written


def _input(
    one: Batch, text: Sequence[str] | None, names: list[str], inputs: np.ndarray | None, shown: int, notes: list[str]
) -> dict[str, Any]:
    """What is read at each step: text, or numbers."""
    read = one.x[0] if one.ids and text is None else text
    told = {"text": None if read is None else [str(token) for token in read][:shown]}
    if one.ids:
        return told | {"features": [], "input": None}
    values = np.asarray(one.x[0] if inputs is None else inputs)
    values, names = most_telling(values[:shown], names, "features", notes)
    return told | {"features": names, "input": table(values)}


def _output(given: tuple[str, np.ndarray] | None, names: list[str], shown: int, notes: list[str]) -> dict[str, Any]:
    """What is given at each step, if anything is."""
    if given is None:
        return {"outputs": [], "output": None}
    title, values = given
    values, names = most_telling(values[:shown], names, "outputs", notes)
    return {"outputs": names, "output": {"title": title, **table(values)}}


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
