"""ONNX files as models of seqkit, and everything that proves that they are the same."""

from __future__ import annotations

import os
from pathlib import Path

from seqkit.interop.imported import Imported
from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import MOST_BYTES, decode
from seqkit.limits import read_file


def from_onnx(path: str | os.PathLike[str]) -> GraphModel:
    """The model of an ONNX file; tensors in other files are read from its folder.

    Parameters
    ----------
    path : str or path-like

    Raises
    ------
    LoadError
        If the file is damaged, or is none of ONNX.
    UnsafeFileError
        If it is made to do harm: impossible sizes, tensors outside of its folder.
    ConvertError
        If something in it cannot be represented here exactly; the message names all operators that are not known.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from seqkit.interop.onnx.messages import Graph, Model, Node, Value, encode
    >>> x, y = (Value(name, np.dtype("float32"), ("n",)) for name in "xy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.onnx")
    ...     _ = path.write_bytes(encode(Model(Graph("g", [Node("Relu", ["x"], ["y"])], [x], [y]), {"": 22}, 10)))
    ...     model = from_onnx(path)
    >>> model.run({"x": [-1.0, 2.0]})["y"].tolist()
    [0.0, 2.0]
    """
    return GraphModel(decode(read_file(path, MOST_BYTES), Path(path).parent))


def read(path: str | os.PathLike[str]) -> Imported:
    """The model of an ONNX file with what proves it; see :meth:`GraphModel.imported`.

    Raises
    ------
    LoadError, UnsafeFileError, ConvertError
        As :func:`from_onnx`.
    """
    model = from_onnx(path)
    by = f", by {model.model.producer}" if model.model.producer else ""
    return model.imported(f"ONNX model, opset {model.model.opsets['']}{by}", os.fspath(path))
