"""State dicts for PyTorch, and mappings that tell what they do not.

The place of a layer in a state dict is a prefix and the number of the layer in its ``nn.LSTM`` and so on.  A model that
came from PyTorch remembers the places of its layers in its metadata, so that it goes back, trained further, under the
names that it had.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.dialects import find
from seqkit.interop.torch.parts import ACTIVATIONS
from seqkit.layer import Layer
from seqkit.layers.activation import Activation
from seqkit.layers.bidirectional import Bidirectional
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.model import Sequential
from seqkit.recurrent import Recurrent

KINDS = {"lstm": "lstm", "projected_lstm": "lstm", "gru": "gru", "simple_rnn": "rnn"}
"""PyTorch's kinds of our cells."""
WEIGHTS_ONLY = ("unit_forget_bias", "reset_after", "projection")
"""Options of cells that the weights tell, or their first values."""
PLAIN = {"activation": "tanh", "recurrent_activation": "sigmoid", "output_activation": None, "forget_gate": "own"}
"""Options that PyTorch's layers cannot change."""
PLACES = "torch"
"""Where a model's metadata have the places of its layers."""
Place = tuple[str, int]


def state_dict(model: Layer | Sequential) -> dict[str, np.ndarray]:
    """The parameters of a model by PyTorch's names.

    A layer, or a stack of equal recurrent layers, has the names of one ``nn.LSTM``, ``nn.GRU`` or ``nn.RNN``; the
    layers of another model have their numbers as prefixes, as in ``nn.Sequential``, unless it came from PyTorch: then
    the names are those it had.  Where PyTorch has two biases and seqkit one, the second is 0.

    Parameters
    ----------
    model : Layer or Sequential
        A built model of recurrent layers, Bidirectional (concat), Dense, Embedding, Activation, Dropout and LastStep.

    Returns
    -------
    dict of str to ndarray
        New arrays of the model's dtype; :func:`from_torch` gives the same model again.

    Raises
    ------
    ConvertError
        If PyTorch has no such layer.

    Examples
    --------
    >>> import seqkit
    >>> list(state_dict(seqkit.GRU(4).build(2)))
    ['weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0']
    """
    arrays: dict[str, np.ndarray] = {}
    for layer, (prefix, number) in zip(_layers(model), _places(model), strict=True):
        for name, array in _arrays(layer, number).items():
            full = f"{prefix}.{name}" if prefix else name
            if full in arrays:
                raise ConvertError(f"{layer.name}: another layer is called {full!r}, too; give them other places.")
            arrays[full] = array
    return arrays


def mapping(model: Layer | Sequential) -> dict[str, Any]:
    """What :func:`state_dict` does not tell: the parts of the model in their order, as a mapping for ``from_torch``.

    Examples
    --------
    >>> import seqkit
    >>> model = seqkit.Sequential([seqkit.LSTM(4), seqkit.Dense(1, activation="sigmoid")]).build(2)
    >>> for part in mapping(model)["layers"]:
    ...     print(part)
    {'kind': 'lstm', 'prefix': '0', 'return_sequences': False}
    {'kind': 'linear', 'prefix': '1', 'activation': 'sigmoid'}
    """
    described: list[dict[str, Any]] = []
    dropped: float = 0.0
    for layer, (prefix, number) in zip(_layers(model), _places(model), strict=True):
        if isinstance(layer, Dropout) and number:
            dropped = layer.rate  # inside of a stack, whose next layer follows
        elif isinstance(layer, (Recurrent, Bidirectional)) and number:
            described[-1] = _part(layer, prefix) | ({"dropout": dropped} if dropped else {})
        else:
            described.append(_part(layer, prefix))
    return {"layers": described}


def _layers(model: Layer | Sequential) -> Sequence[Layer]:
    return model.layers if isinstance(model, Sequential) else [model]


def _places(model: Layer | Sequential) -> list[Place]:
    """Prefix and number of every layer; a layer without weights in a stack has the number of the one after it."""
    layers = _layers(model)
    said = model.metadata.get(PLACES) if isinstance(model, Sequential) else None
    if isinstance(said, list) and len(said) == len(layers) and all(map(_is_place, said)):
        return [(prefix, number) for prefix, number in said]
    if not isinstance(model, Sequential):
        return [("", 0)]
    if not _is_stack(layers):
        return [(str(number), 0) for number in range(len(layers))]
    recurrent = [not isinstance(layer, Dropout) for layer in layers]
    return [("", sum(recurrent[:number])) for number in range(len(layers))]


def _is_place(said: Any) -> bool:
    return isinstance(said, (list, tuple)) and len(said) == 2 and type(said[0]) is str and type(said[1]) is int


def _is_stack(layers: Sequence[Layer]) -> bool:
    """Whether the layers are those of one ``nn.LSTM`` or so, equal ones with the same dropout between all of them."""
    recurrent = [layer for layer in layers if isinstance(layer, (Recurrent, Bidirectional))]
    between = [layer for layer in layers if isinstance(layer, Dropout)]
    if len(recurrent) + len(between) < len(layers) or not recurrent or isinstance(layers[-1], Dropout):
        return False
    alternate = all(isinstance(one, Dropout) != isinstance(two, Dropout) for one, two in pairwise(layers))
    equal = all(_signature(one) == _signature(recurrent[0]) for one in recurrent)
    return equal and len({layer.rate for layer in between}) <= 1 and (alternate or not between)


def _signature(layer: Layer) -> Any:
    """What is the same in all layers of a stack."""
    if isinstance(layer, Bidirectional):
        return _signature(layer.forward_layer), _signature(layer.backward_layer)
    assert isinstance(layer, Recurrent)
    return layer.cell.name, layer.output_size, layer.units, layer.use_bias, _activation(layer)


def _activation(layer: Recurrent) -> str:
    return str(layer.options.get("activation", "tanh"))


# ---- single layers ---------------------------------------------------------------------------------


def _arrays(layer: Layer, number: int) -> dict[str, np.ndarray]:
    """The arrays of a layer by PyTorch's names."""
    if isinstance(layer, (Activation, Dropout, LastStep)):
        return {}
    if type(layer) in (Dense, Embedding):
        return {name: array.copy() for name, array in layer.params.items()}
    if isinstance(layer, Bidirectional) and layer.merge_mode == "concat":
        forward, backward = layer.forward_layer, layer.backward_layer
        if _signature(forward) == _signature(backward):
            return _direction(forward, f"_l{number}") | _direction(backward, f"_l{number}_reverse")
    if isinstance(layer, Recurrent) and not layer.go_backwards:
        return _direction(layer, f"_l{number}")
    raise ConvertError(
        f"{layer.name}: PyTorch has no such layer; known are Dense, Embedding, Activation, Dropout, LastStep, "
        f"recurrent layers that read from the start, and Bidirectional of two equal ones with merge_mode='concat'."
    )


def _direction(layer: Recurrent, suffix: str) -> dict[str, np.ndarray]:
    _check(layer)
    cell = "lstm" if layer.cell.name == "projected_lstm" else layer.cell.name
    reset = {"reset_after": layer.cell.reset_after} if cell == "gru" else {}  # type: ignore[attr-defined]
    written = find("torch", cell).write(layer.params, **reset)
    names = {"kernel": "weight_ih", "recurrent": "weight_hh", "bias": "bias_ih", "recurrent_bias": "bias_hh"}
    arrays = {f"{names[name]}{suffix}": array.copy() for name, array in written.items()}
    if "weight_hr" in layer.params:
        arrays[f"weight_hr{suffix}"] = layer.params["weight_hr"].copy()
    return arrays


def _check(layer: Recurrent) -> None:
    """Refuse what PyTorch's layers do not have; an option that is not known here is one of those."""
    if layer.cell.name not in KINDS:
        raise ConvertError(f"{layer.name}: PyTorch has no such cell, only {', '.join(KINDS)}.")
    relu = {"activation": "relu"} if layer.cell.name == "simple_rnn" else {}
    own = {name: value for name, value in layer.options.items() if name not in WEIGHTS_ONLY}
    other = [name for name, value in own.items() if value != PLAIN.get(name, not value) and value != relu.get(name)]
    other += ["zoneout"] * bool(layer.zoneout) + ["initial_state"] * (layer.initial_state == "learned")
    if other:
        raise ConvertError(f"{layer.name}: PyTorch's layer cannot have this {other[0]}.")


def _function(layer: Activation | Dense) -> str:
    """The name of a layer's function, which a mapping must know."""
    found = layer.activation or "linear"
    if found not in ACTIVATIONS:
        raise ConvertError(f"{layer.name}: a mapping has no activation {found!r:.80}, only {', '.join(ACTIVATIONS)}.")
    return str(found)


def _part(layer: Layer, prefix: str) -> dict[str, Any]:
    """A layer as an entry of a mapping."""
    if isinstance(layer, Dropout):
        return {"kind": "dropout", "p": layer.rate}
    if isinstance(layer, LastStep):
        return {"kind": "last_step"}
    if isinstance(layer, Activation):
        return {"kind": "activation", "function": _function(layer)}
    if isinstance(layer, Embedding):
        return {"kind": "embedding", "prefix": prefix}
    if isinstance(layer, Dense):
        return {"kind": "linear", "prefix": prefix, "activation": _function(layer)}
    _arrays(layer, 0)  # raises for what there is not
    cell = layer.forward_layer if isinstance(layer, Bidirectional) else layer
    assert isinstance(cell, Recurrent)
    kind = KINDS[cell.cell.name]
    return {
        **{"kind": kind, "prefix": prefix, "return_sequences": layer.returns_sequences},
        **({"nonlinearity": _activation(cell)} if kind == "rnn" else {}),
    }
