"""What the names in a file of torch.save mean: a short list, and nothing is imported for any of them.

Source: PyTorch, torch/_utils.py (the functions that rebuild tensors and their arguments) and
torch/serialization.py (storages are outside of the pickle).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.torch.tensors import NUMBERS, Storage, Tensor, checked_number


@dataclass(frozen=True)
class Tag:
    """A global of the pickle; it does nothing."""

    name: str


STORAGES = {
    "torch FloatStorage": "float32",
    "torch DoubleStorage": "float64",
    "torch HalfStorage": "float16",
    "torch BFloat16Storage": "bfloat16",
    "torch LongStorage": "int64",
    "torch IntStorage": "int32",
    "torch ShortStorage": "int16",
    "torch CharStorage": "int8",
    "torch ByteStorage": "uint8",
    "torch BoolStorage": "bool",
}
TYPES = tuple(f"torch {name}" for name in NUMBERS)
REFUSED = {
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_sparse_csr_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without numbers",
    "_rebuild_wrapper_subclass": "a tensor of a subclass",
    "_rebuild_device_tensor_from_numpy": "a tensor of another device",
    "_rebuild_device_tensor_from_cpu_tensor": "a tensor of another device",
    "_rebuild_tensor_v3": "a tensor of an untyped storage",
}


class Records:
    """The World of a state dict; see :class:`seqkit.interop.torch.machine.World`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def find(self, name: str) -> Tag:
        """A tag for one of the names that a state dict needs."""
        if name in TAGS:
            return TAGS[name]
        module, _, function = name.partition(" ")
        if module == "torch._utils" and function in REFUSED:
            raise ConvertError(f"{self._owner}: it holds {REFUSED[function]}, which is not read; save a dense one.")
        raise UnsafeFileError(
            f"{self._owner}: the file needs {name.replace(' ', '.')[:100]!r}, and code is not run to read a file. Load "
            f"it where it comes from and save model.state_dict()."
        )

    def call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        """The record that a call of a tag describes."""
        if not isinstance(function, Tag) or function.name not in CALLS:
            raise UnsafeFileError(f"{self._owner}: the pickle calls something that is not a function of PyTorch's.")
        return CALLS[function.name](arguments, self._owner)

    def persistent(self, identity: Any) -> Storage:
        """A storage: the word "storage", its type, key, device and number of elements."""
        if type(identity) is not tuple or len(identity) != 5 or identity[0] != "storage":
            raise UnsafeFileError(f"{self._owner}: the pickle points outside, but to no storage.")
        _, kind, key, device, count = identity
        if not isinstance(kind, Tag) or kind.name not in STORAGES or type(key) is not str or type(device) is not str:
            raise UnsafeFileError(f"{self._owner}: a storage is described in an unknown way.")
        return Storage(key, STORAGES[kind.name], checked_number(count, "the size of a storage", self._owner))


# ---- calls: arguments and the file's name to a record ------------------------------------------------


def _tensor(arguments: tuple[Any, ...], owner: str) -> Tensor:
    """torch._utils._rebuild_tensor_v2(storage, offset, size, strides, requires_grad, hooks, metadata=None)."""
    if len(arguments) not in (6, 7) or not isinstance(arguments[0], Storage):
        raise LoadError(f"{owner}: a tensor is described in an unknown way.")
    storage, offset, shape, strides, _, hooks = arguments[:6]
    if type(shape) is not tuple or type(strides) is not tuple or hooks != {}:
        raise LoadError(f"{owner}: a tensor is described in an unknown way.")
    if len(arguments) == 7 and arguments[6]:
        raise ConvertError(f"{owner}: a tensor is a lazy negative or conjugate of another; save tensor.resolve_neg().")
    tensor = Tensor(storage, offset, shape, strides)
    tensor.check(owner)
    return tensor


def _parameter(arguments: tuple[Any, ...], owner: str) -> Tensor:
    """torch._utils._rebuild_parameter(tensor, requires_grad, hooks)."""
    if len(arguments) != 3 or not isinstance(arguments[0], Tensor):
        raise LoadError(f"{owner}: a parameter is described in an unknown way.")
    return arguments[0]


def _empty_dict(arguments: tuple[Any, ...], owner: str) -> dict[Any, Any]:
    """collections.OrderedDict(); its items follow."""
    if arguments:
        raise LoadError(f"{owner}: an OrderedDict is described in an unknown way.")
    return {}


def _inert(arguments: tuple[Any, ...], owner: str) -> tuple[Any, ...]:
    """What stands in checkpoints besides tensors, as its arguments."""
    return arguments


CALLS: dict[str, Callable[[tuple[Any, ...], str], Any]] = {
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "collections OrderedDict": _empty_dict,
    "torch Size": _inert,
    "torch device": _inert,
    "__builtin__ set": _inert,
    "_codecs encode": _inert,
}
TAGS = {name: Tag(name) for name in (*STORAGES, *TYPES, *CALLS)}
"""One tag for each name: a pickle may have hundreds of thousands of them."""
