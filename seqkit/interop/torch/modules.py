"""Modules of PyTorch that are alive: walked through for their parts, each known exactly or refused by its name.

Only classes of ``torch.nn`` themselves are known: a subclass, a parametrized module or one with hooks may compute
anything.  The one exception is a module without tensors that picks something from the pair which ``nn.LSTM`` and its
kin return; it is asked with numbers that are all different.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from seqkit.errors import ConvertError
from seqkit.interop.torch.parts import Part

RECURRENT = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}
CELLS = {"LSTMCell": "lstm", "GRUCell": "gru", "RNNCell": "rnn"}
ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid", "Softmax": "softmax"}
SHAPES = ((3, 5), (2, 4))
"""Batch and time of what a module that picks is asked with."""


def parts_of_module(module: Any) -> list[Part]:
    """The parts of a module.

    Parameters
    ----------
    module : torch.nn.Module
        An ``nn.LSTM``, ``nn.GRU``, ``nn.RNN`` or cell of them, or an ``nn.Sequential`` of modules that are known.

    Raises
    ------
    ConvertError
        If a module in it is not known; the message has its name.
    """
    name = _class(module)
    if name in CELLS:
        _check_hooks(module, name)
        return [Part(CELLS[name], "", _nonlinearity(module), name)]
    return _Walk().parts(module)


class _Walk:
    """Goes through the modules in their order."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._pair: Any = None
        """The recurrent module whose pair of results nobody has picked from yet."""

    def parts(self, module: Any) -> list[Part]:
        """The parts of a module; of a pair at its end the outputs of every step count."""
        for name, child in _leaves(module, ""):
            self._add(name, child)
        return self._parts

    def _add(self, path: str, module: Any) -> None:
        name = _class(module)
        title = f"module {path or name!r}"
        _check_hooks(module, title)
        if self._pair is not None and name not in ("Identity",):
            self._pick(title, module)
        elif name in RECURRENT:
            self._pair = module
            self._parts.append(Part(RECURRENT[name], path, _recurrent_options(module), title))
        elif name in ACTIVATIONS:
            self._activate(title, module)
        elif name != "Identity":
            self._parts.append(_plain(name, path, title, module))

    def _pick(self, title: str, module: Any) -> None:
        """What a module takes from (output, state)."""
        picked = None if _has_tensors(module) else _picked(module, self._pair)
        if picked is None:
            raise ConvertError(
                f"{title} is {type(module).__name__}, which follows a recurrent module and picks from it neither the "
                f"output, its last step nor the last h; describe the model in a mapping instead."
            )
        if picked == "last_state":
            self._parts[-1] = replace(self._parts[-1], options={**self._parts[-1].options, "return_sequences": False})
        elif picked == "last_step":
            self._parts.append(Part("last_step", title=title))
        self._pair = None

    def _activate(self, title: str, module: Any) -> None:
        """An activation belongs to a linear part before it; behind any other it is a part of its own."""
        function, last = ACTIVATIONS[_class(module)], self._parts[-1] if self._parts else None
        if function == "softmax" and module.dim != -1:
            raise ConvertError(f"{title} has dim={module.dim}, only dim=-1, the features, is read.")
        if last is not None and last.kind == "linear" and not last.options:
            self._parts[-1] = replace(last, options={"activation": function})
        else:
            self._parts.append(Part("activation", options={"function": function}, title=title))


def _leaves(module: Any, path: str) -> list[tuple[str, Any]]:
    """Modules that are not nn.Sequential, with their paths, in order."""
    if _class(module) != "Sequential":
        return [(path, module)]
    _check_hooks(module, f"module {path or 'Sequential'!r}")
    children = [(f"{path}.{name}".removeprefix("."), child) for name, child in module.named_children()]
    return [leaf for name, child in children for leaf in _leaves(child, name)]


def _class(module: Any) -> str:
    """Name of a class of torch.nn itself, empty for any other."""
    name = type(module).__name__
    return name if type(module) is getattr(sys.modules["torch"].nn, name, None) else ""


def _plain(name: str, path: str, title: str, module: Any) -> Part:
    if name == "Linear":
        return Part("linear", path, title=title)
    if name == "Dropout":
        return Part("dropout", options={"p": module.p}, title=title)
    if name == "Embedding" and module.max_norm is None and not module.scale_grad_by_freq:
        return Part("embedding", path, title=title)
    known = [*RECURRENT, "Linear", "Embedding (without max_norm)", "Dropout", "Identity", *ACTIVATIONS]
    raise ConvertError(
        f"{title} is {type(module).__module__}.{type(module).__name__}, which is not read; known are the classes of "
        f"torch.nn {', '.join(known)}, not subclasses. Describe the model in a mapping if its tensors are enough."
    )


def _recurrent_options(module: Any) -> Mapping[str, Any]:
    return {"dropout": module.dropout, **_nonlinearity(module)}


def _nonlinearity(module: Any) -> Mapping[str, Any]:
    return {"nonlinearity": module.nonlinearity} if hasattr(module, "nonlinearity") else {}


def _check_hooks(module: Any, title: str) -> None:
    """Hooks may change inputs, outputs or weights at every call."""
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    if any(getattr(module, name, None) for name in hooks) or "forward" in vars(module):
        raise ConvertError(f"{title} has hooks, such as those of weight_norm, or another forward; remove them first.")


def _has_tensors(module: Any) -> bool:
    return any(True for _ in module.parameters()) or any(True for _ in module.buffers())


def _picked(module: Any, recurrent: Any) -> str | None:
    """What a module picks from the results of a recurrent one: "sequence", "last_step", "last_state", or None."""
    torch = sys.modules["torch"]
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            found = {_picked_from(module, recurrent, *shape) for shape in SHAPES}
    except Exception:  # somebody else's code, which is asked with what it was perhaps not made for
        return None
    finally:
        module.train(training)
    return found.pop() if len(found) == 1 else None


def _picked_from(module: Any, recurrent: Any, batch: int, time: int) -> str | None:
    torch = sys.modules["torch"]
    size, count = recurrent.proj_size or recurrent.hidden_size, 1 + recurrent.bidirectional
    shape = (batch, time) if recurrent.batch_first else (time, batch)
    generator = torch.Generator().manual_seed(0)
    output = torch.randn(*shape, size * count, generator=generator)
    h = torch.randn(recurrent.num_layers * count, batch, size, generator=generator)
    c = torch.randn(recurrent.num_layers * count, batch, recurrent.hidden_size, generator=generator)
    picked = module((output, (h, c) if _class(recurrent) == "LSTM" else h))
    last = output[:, -1] if recurrent.batch_first else output[-1]
    known: Sequence[tuple[str, Any]] = (
        ("sequence", output),
        ("last_step", last),
        ("last_state", torch.cat(list(h[-count:]), dim=1)),
    )
    same = (name for name, tensor in known if isinstance(picked, torch.Tensor) and torch.equal(picked, tensor))
    return next(same, None)
