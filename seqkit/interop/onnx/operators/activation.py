"""Activation functions, with the parameters that ONNX gives them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqkit.activations import get
from seqkit.errors import ConvertError
from seqkit.interop.onnx.messages import Node
from seqkit.interop.onnx.operators.binding import Bind, Constants, Function, label, options
from seqkit.interop.onnx.operators.pointwise import erf, unary

sigmoid = get("sigmoid").forward


def softplus(x: np.ndarray) -> np.ndarray:
    """log(1 + exp(x)), which never overflows."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def elu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def selu(x: np.ndarray, alpha: float, gamma: float) -> np.ndarray:
    return gamma * elu(x, alpha)


def leaky_relu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x < 0, alpha * x, x)


def thresholded_relu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x > alpha, x, x.dtype.type(0))


def hard_sigmoid(x: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    return np.clip(alpha * x + beta, 0, 1)


def celu(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.maximum(x, 0) + np.minimum(alpha * np.expm1(np.minimum(x, 0) / alpha), 0)


def swish(x: np.ndarray, alpha: float) -> np.ndarray:
    return x * sigmoid(alpha * x)


def hard_swish(x: np.ndarray) -> np.ndarray:
    return x * hard_sigmoid(x, 1 / 6, 0.5)


def mish(x: np.ndarray) -> np.ndarray:
    return x * np.tanh(softplus(x))


def softsign(x: np.ndarray) -> np.ndarray:
    return x / (1 + np.abs(x))


def gelu_erf(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + erf(x * np.sqrt(0.5).astype(x.dtype)))


def gelu_tanh(x: np.ndarray) -> np.ndarray:
    root = np.sqrt(2 / np.pi).astype(x.dtype)
    return 0.5 * x * (1 + np.tanh(root * (x + 0.044715 * x * x * x)))


def with_parameters(function: Callable[..., np.ndarray], **defaults: float) -> Bind:
    """The operator of a function whose parameters are attributes."""

    def bind(node: Node, constants: Constants, opset: int) -> Function:
        given = vars(options(node, 1, **{name: ("float", value) for name, value in defaults.items()}))
        return lambda inputs: [function(inputs[0], **given)]

    return bind


def gelu(node: Node, constants: Constants, opset: int) -> Function:
    approximate = options(node, 1, approximate=("text", "none")).approximate
    if approximate not in ("none", "tanh"):
        raise ConvertError(f"{label(node)}: approximate must be none or tanh, got {approximate!r:.50}.")
    function = gelu_erf if approximate == "none" else gelu_tanh
    return lambda inputs: [function(inputs[0])]


def prelu(node: Node, constants: Constants, opset: int) -> Function:
    options(node, 2)
    return lambda inputs: [np.where(inputs[0] < 0, inputs[1] * inputs[0], inputs[0])]


OPERATORS: dict[str, Bind] = {
    "Celu": with_parameters(celu, alpha=1.0),
    "Elu": with_parameters(elu, alpha=1.0),
    "Gelu": gelu,
    "HardSigmoid": with_parameters(hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": unary(hard_swish),
    "LeakyRelu": with_parameters(leaky_relu, alpha=0.01),
    "Mish": unary(mish),
    "PRelu": prelu,
    "Relu": unary(get("relu").forward),
    "Selu": with_parameters(selu, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Sigmoid": unary(sigmoid),
    "Softplus": unary(softplus),
    "Softsign": unary(softsign),
    "Swish": with_parameters(swish, alpha=1.0),
    "Tanh": unary(np.tanh),
    "ThresholdedRelu": with_parameters(thresholded_relu, alpha=1.0),
}
