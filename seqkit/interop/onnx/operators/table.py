"""Every operator of ONNX that is run here, by name."""

from __future__ import annotations

from seqkit.interop.onnx import recurrent
from seqkit.interop.onnx.operators import activation, places, pointwise, products, reductions, shapes, windows
from seqkit.interop.onnx.operators.binding import Bind
from seqkit.interop.onnx.operators.control import control

OPERATORS: dict[str, Bind] = {
    name: bind
    for module in (activation, places, pointwise, products, recurrent, reductions, shapes, windows)
    for name, bind in module.OPERATORS.items()
}
OPERATORS |= control(OPERATORS)
