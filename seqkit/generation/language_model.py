"""Text, or any other ids, from a model that says what comes next.

Legend: B prompts, V ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from seqkit.arrays import as_array
from seqkit.errors import ConfigError, DTypeError, ShapeError
from seqkit.generation.filters import checked, probabilities
from seqkit.graph import Graph
from seqkit.layer import Layer
from seqkit.layers.masked import Masked
from seqkit.layers.time_distributed import TimeDistributed
from seqkit.options import positive_integer
from seqkit.stack import Stack


def generate(
    model: Stack,
    prompt: Any,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    stop: int | None = None,
) -> Any:
    """Go on from a prompt, id by id: each is drawn from what the model says comes next, and read by it.

    The model runs as a stream and keeps its state, so an id costs one step, however long the text is.  Prompts of a
    batch have random numbers of their own: what follows one does not depend on the others.

    Parameters
    ----------
    model : Sequential
        Gives for each step logits of the next id or, where it ends with a softmax, probabilities.  Its input is ids,
        or vectors of zeros with a 1 at the place of the id.
    prompt : array_like of int, (T,), or a sequence of such
        What comes before, at least one id; or a batch of prompts.
    length : int
        Number of ids to draw.
    temperature, top_k, top_p
        See :func:`probabilities`; the temperature 0 takes the likeliest id.
    seed : int, optional
        Source of the random numbers; without one they are different every time.
    stop : int, optional
        An id that ends a text; it is the last one of the result.

    Returns
    -------
    ndarray of int64, (length,) or shorter, or list of such
        What follows the prompt, or each of a batch.

    Raises
    ------
    ConfigError
        If an option is outside its range or a layer cannot run step by step.
    ShapeError
        If a prompt is empty.
    NonFiniteError
        If the model gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import seqkit
    >>> from seqkit.generation import generate
    >>> model = seqkit.Sequential([seqkit.Embedding(5, 3), seqkit.GRU(4), seqkit.Dense(5)], seed=0)
    >>> generate(model, [1, 2], length=6, temperature=0).shape
    (6,)
    >>> [len(text) for text in generate(model, [[1, 2], [3]], length=4, seed=1)]
    [4, 4]
    """
    model.require_built()
    options = checked(temperature, top_k, top_p)
    several = hasattr(prompt, "__len__") and len(prompt) > 0 and np.ndim(prompt[0]) > 0
    prompts = [_ids(row) for row in (prompt if several else [prompt])]
    length = positive_integer(length, "length")
    generators = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(len(prompts))]
    texts: list[list[int]] = [[] for _ in prompts]
    alive, ids, state, time = np.arange(len(prompts)), np.array([row[0] for row in prompts], np.int64), None, 1
    while len(alive):
        y, state = model.step(_encoded(model, ids), state)
        p = probabilities(_logits(model, y), *options)
        for place, row in enumerate(alive):
            if time < len(prompts[row]):
                ids[place] = prompts[row][time]
            else:
                ids[place] = _draw(p[place], generators[row])
                texts[row].append(int(ids[place]))
        going = np.array([len(texts[row]) < length and not _stopped(texts[row], stop) for row in alive])
        if not going.all():
            alive, ids, state = alive[going], ids[going], _rows(state, going)
        time += 1
    found = [np.array(text, np.int64) for text in texts]
    return found if several else found[0]


def _ids(prompt: Sequence[int]) -> np.ndarray:
    ids = as_array(prompt, "generate", "a prompt")
    if ids.ndim != 1 or not len(ids):
        raise ShapeError(f"generate: a prompt has shape {ids.shape}, expected (time,) with at least one id.")
    if ids.dtype.kind not in "iu":
        raise DTypeError(f"generate: a prompt must hold integer ids, got dtype {ids.dtype}.")
    return ids


def _encoded(model: Stack, ids: np.ndarray) -> np.ndarray:
    """What the model reads for some ids."""
    if model.accepts_ids:
        return ids
    size = model.layers[0].input_size
    wrong = ids[(ids < 0) | (ids >= size)]
    if wrong.size:
        raise ConfigError(f"generate: id {wrong[0]} came, but the model reads {size} features, one for each id.")
    return np.eye(size, dtype=model.dtype)[ids]


def _logits(model: Stack, y: np.ndarray) -> np.ndarray:
    """Logits up to a constant, of what the model gives."""
    if getattr(_last(model.layers), "activation", None) != "softmax":
        return y
    with np.errstate(divide="ignore"):
        return np.log(y)


def _last(layers: Sequence[Layer]) -> Layer:
    """The layer whose numbers come out, be it inside others."""
    layer = [layer for layer in layers if not layer.training_only][-1]
    if isinstance(layer, Graph):
        return _last([layer.nodes[layer.output].layer])
    return _last(layer.inner()) if isinstance(layer, (TimeDistributed, Masked)) else layer


def _draw(p: np.ndarray, generator: np.random.Generator) -> int:
    """An id with these probabilities: the first whose cumulated probability is above a uniform number."""
    cumulated = np.cumsum(p)
    return int(np.searchsorted(cumulated, generator.random() * cumulated[-1], side="right"))


def _stopped(text: Sequence[int], stop: int | None) -> bool:
    return stop is not None and len(text) > 0 and text[-1] == stop


def _rows(state: Any, rows: np.ndarray) -> Any:
    """Some rows of every array of a model's state."""
    return tuple(_rows(part, rows) for part in state) if isinstance(state, tuple) else state[rows]
