"""Reading models of PyTorch."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seqkit.errors import ConvertError
from seqkit.interop.imported import Imported
from seqkit.interop.layered import drawer, runner
from seqkit.interop.torch import oracles
from seqkit.interop.torch.assemble import assemble
from seqkit.interop.torch.files import read_weights
from seqkit.interop.torch.mapping_file import parts_of
from seqkit.interop.torch.modules import parts_of_module
from seqkit.interop.torch.parts import Part
from seqkit.interop.torch.stacks import is_recurrent, recurrent_stack
from seqkit.interop.torch.tensors import NUMBERS, Weights
from seqkit.layer import Layer
from seqkit.model import Sequential

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A file or a state dict; a module, too, which has no type where PyTorch is not installed."""

DEFAULTS = {"nonlinearity": None, "dropout": 0.0, "return_sequences": True}
"""What is taken of a bare state dict where nothing is said."""


def from_torch(
    source: Source | Any,
    prefix: str = "",
    *,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    key: str | None = None,
    nonlinearity: str | None = None,
    dropout: float = 0.0,
    return_sequences: bool = True,
    dtype: str | None = None,
) -> Layer | Sequential:
    """The model of a PyTorch file, state dict or module, with the same outputs and gradients.

    Inputs are (batch, time, features) whatever `batch_first` was, which is not in the weights; `lengths` are those of
    a packed sequence.

    Parameters
    ----------
    source : path, mapping or torch.nn.Module
        A file of torch.save (1.6 or newer) or of safetensors; a state dict of tensors or arrays; or a module, which
        says everything by itself, so that only `dtype` may be given beside it.
    prefix : str
        The recurrent layer that is meant, as "encoder.rnn" for ``encoder.rnn.weight_ih_l0``.
    mapping : path or mapping, optional
        The parts of a whole model and their order, see :mod:`seqkit.interop.torch.mapping_file`.
    key : str, optional
        Name of the state dict in a checkpoint, with dots for dicts in dicts; the usual names are found.
    nonlinearity : {"tanh", "relu"}
        Of an ``nn.RNN`` or ``nn.RNNCell``, whose weights do not tell it.
    dropout : float
        Between the layers of a stack, in training.
    return_sequences : bool
        Give the output of every step; else the final h of the last layer, ``h_n[-1]``, of both directions side by side.
    dtype : {"float32", "float64"}, optional
        Type of the model instead of that of the weights, which it must hold exactly: half precision is read as float32
        where that is asked for.

    Returns
    -------
    Layer or Sequential
        One layer, or a Sequential where there are more.

    Raises
    ------
    LoadError
        If the file is damaged or of another kind.
    UnsafeFileError
        If the file would run code, or promises more than it holds.
    ConvertError
        If something cannot be represented exactly, or is not told by the weights; the message says what.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shapes = {"weight_ih_l0": (12, 2), "weight_hh_l0": (12, 3), "bias_ih_l0": (12,), "bias_hh_l0": (12,)}
    >>> lstm = from_torch({name: rng.standard_normal(shape) for name, shape in shapes.items()})
    >>> lstm.name, lstm.units, lstm(np.zeros((1, 4, 2))).shape
    ('lstm', 3, (1, 4, 3))
    """
    model = read(
        source,
        prefix,
        mapping=mapping,
        key=key,
        nonlinearity=nonlinearity,
        dropout=dropout,
        return_sequences=return_sequences,
        dtype=dtype,
    ).model
    return model if len(model.layers) > 1 else model.layers[0]


def read(
    source: Source | Any,
    prefix: str = "",
    *,
    mapping: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    key: str | None = None,
    nonlinearity: str | None = None,
    dropout: float = 0.0,
    return_sequences: bool = True,
    dtype: str | None = None,
) -> Imported:
    """The model, a Sequential of one layer or more, with what proves it; see :func:`from_torch`."""
    options = {"nonlinearity": nonlinearity, "dropout": dropout, "return_sequences": return_sequences}
    said = [name for name, value in options.items() if value != DEFAULTS[name]]
    if _is_module(source):
        if said or prefix or mapping is not None or key is not None:
            raise ConvertError("A module says everything by itself; only dtype can be given beside it.")
        weights, parts = _of_module(source)
    else:
        weights = _weights(source, key)
        if mapping is None:
            parts = [_bare(weights, prefix.removesuffix("."), options)]
        elif said or prefix:
            raise ConvertError(f"{weights.owner}: with a mapping, say {', '.join(said) or 'prefix'} there.")
        else:
            parts = parts_of(mapping, weights)
    return _imported(parts, weights, dtype)


def _imported(parts: Sequence[Part], weights: Weights, dtype: str | None) -> Imported:
    used = [name for part in parts for name in weights.names(part.prefix) if part.tensors(weights)]
    model = assemble(parts, weights, weights.dtype(used, dtype))
    return Imported(
        model,
        "PyTorch state dict",
        run=runner(model),
        draw=drawer(model),
        reference=lambda: oracles.reference(parts, weights),
        peer=lambda: oracles.peer(parts, weights),
    )


def _is_module(source: Any) -> bool:
    """Whether this is a torch.nn.Module; PyTorch is imported already where there is one."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)


def _of_module(module: Any) -> tuple[Weights, list[Part]]:
    parts = parts_of_module(module)
    return _of_state_dict(module.state_dict(), f"module {type(module).__name__}"), parts


def _weights(source: Source, key: str | None) -> Weights:
    if isinstance(source, (str, os.PathLike)):
        return read_weights(source, key)
    if not isinstance(source, Mapping) or key is not None:
        raise ConvertError(
            f"from_torch takes a path, a state dict or a torch.nn.Module, and a key only with a path; got "
            f"{type(source).__name__}{'' if key is None else f' and key={key!r:.80}'}."
        )
    return _of_state_dict(source, "state dict")


def _of_state_dict(state_dict: Mapping[str, Any], owner: str) -> Weights:
    arrays, dtypes = {}, {}
    for name, value in state_dict.items():
        dtypes[name], arrays[name] = _array(value, f"{owner}: {name!r:.80}")
    return Weights(arrays, dtypes, owner)


def _array(value: Any, title: str) -> tuple[str, np.ndarray]:
    """Name of the type and numbers of a tensor or array; bfloat16, which NumPy has not, as float32."""
    if hasattr(value, "detach"):
        value = value.detach()
        if value.layout != sys.modules["torch"].strided or value.is_quantized or value.is_meta:
            raise ConvertError(f"{title} is sparse, quantized or without numbers; give a dense tensor.")
        dtype = str(value.dtype).removeprefix("torch.")
        value = value.cpu().float() if dtype == "bfloat16" else value.cpu()
        return _known(dtype, title), value.resolve_conj().resolve_neg().numpy()
    array = np.asarray(value)
    return _known(array.dtype.name, title), array


def _known(dtype: str, title: str) -> str:
    if dtype not in NUMBERS:
        raise ConvertError(f"{title} has the type {dtype}, which is not read; expected {', '.join(NUMBERS)}.")
    return dtype


def _bare(weights: Weights, prefix: str, options: Mapping[str, Any]) -> Part:
    """The one recurrent part of a state dict."""
    arrays = weights.part(prefix)
    if not any(map(is_recurrent, arrays)):
        prefixes = sorted({_prefix(name) for name in weights.arrays if is_recurrent(name.rpartition(".")[2])})
        where = f"there are recurrent layers under {', '.join(prefixes)[:300]}" if prefixes else "there is none at all"
        raise ConvertError(
            f"{weights.owner}: no recurrent layer under the prefix {prefix!r:.80}; {where}. Say prefix='...', or "
            f"describe the whole model in a mapping."
        )
    title = f"{weights.owner}{f' ({prefix})' if prefix else ''}"
    kind = recurrent_stack(arrays, title).kind
    if options["nonlinearity"] is not None and kind != "rnn":
        raise ConvertError(f"{title}: nonlinearity is of nn.RNN, the tensors are those of nn.{kind.upper()}.")
    known = {name: value for name, value in options.items() if name != "nonlinearity" or kind == "rnn"}
    return Part(kind, prefix, known, title)


def _prefix(name: str) -> str:
    return repr(name.rpartition(".")[0][:60])
