"""Checks of low precision: the error is bounded, and bits do not depend on the batch.

Legend: B batch.
"""

from __future__ import annotations

from seqkit.errors import SeqkitError
from seqkit.testing.data import Data, Make, assert_close, assert_same_bits, infer
from seqkit.testing.kinds import needs

BOUND = {"bfloat16": 0.05, "int8": 0.1}
"""Of the largest output: weights and vectors keep 8 bits in bfloat16 and less than 7 in int8."""


def check_bfloat16(make: Make) -> None:
    """In bfloat16 outputs are off by at most 5 % of the largest, and bits do not depend on the batch."""
    assert_low_precision(make, "bfloat16")


def check_int8(make: Make) -> None:
    """In int8 outputs are off by at most 10 % of the largest, and bits do not depend on the batch."""
    assert_low_precision(make, "int8")


def assert_low_precision(make: Make, precision: str) -> None:
    """The quantized layer is near the layer, shares its parameters, and is for inference."""
    layer = make("float32")
    low = layer.quantize(precision)
    needs(low is not layer, f"it has no products that {precision} makes faster")
    data = Data.draw(layer, [4, 0, 1, 3, 4, 2])
    found = infer(low, data)
    for name, array in infer(layer, data).items():
        assert_close(found[name], array, BOUND[precision], f"{name} in {precision}", smallest=0.1)
    for row in (0, 3):
        one = data.rows([row])
        y = found["y"][[row], : one.x.shape[1]] if layer.returns_sequences else found["y"][[row]]
        assert_same_bits({"y": infer(low, one)["y"]}, {"y": y}, f"a sequence alone in {precision}")
    for name, value in layer.params.items():
        layer.params[name] = 0.5 * value
    changed = infer(low, data)
    assert_same_bits(infer(layer.quantize(precision), data), changed, f"new parameters in {precision}")
    assert_refuses_training(low, data, precision)


def assert_refuses_training(low: object, data: Data, precision: str) -> None:
    """Rounded products have no exact gradient."""
    try:
        low.forward(data.x, data.lengths, data.state or None, training=True)  # type: ignore[attr-defined]
    except SeqkitError:
        return
    raise AssertionError(f"a layer of {precision} gives gradients: forward with training=True must be refused")
