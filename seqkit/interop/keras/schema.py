"""The layers of Keras that can be represented here, and what each option of theirs may be.

A configuration is data: it is compared with these tables, and what is in no table is refused by name.  Nothing is
looked up in a module and nothing is made by the name that a file gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from seqkit.errors import ConvertError

ACTIVATIONS = (
    *("linear", "relu", "sigmoid", "tanh", "softmax", "elu", "selu", "gelu", "silu", "softplus", "softsign"),
    *("exponential", "hard_sigmoid", "relu6", "leaky_relu", "mish", "hard_silu", "hard_tanh", "log_sigmoid"),
    *("tanh_shrink", "log_softmax", "celu", "squareplus", "soft_shrink", "hard_shrink", "sparse_plus"),
    "sparse_sigmoid",
)
"""Names of Keras' activations, with Keras' default options, that layers here have."""
SYNONYMS = {"swish": "silu", "hard_swish": "hard_silu"}

IGNORED = frozenset(
    [
        *("name", "trainable", "dtype", "autocast", "seed", "unit_forget_bias", "unroll", "implementation"),
        *(f"{what}_{kind}" for what in ("kernel", "recurrent", "bias", "embeddings") for kind in ("initializer",)),
        *(f"{what}_regularizer" for what in ("kernel", "recurrent", "bias", "embeddings", "activity")),
        *(f"{what}_constraint" for what in ("kernel", "recurrent", "bias", "embeddings")),
        *("batch_input_shape", "batch_shape", "input_shape", "input_length", "input_dtype", "build_config"),
    ]
)
"""Options that change training, or nothing at all, but never what a trained model gives."""


class Option(NamedTuple):
    """What a value must be, and what it is where a file does not say."""

    check: Callable[[Any], Any]
    default: Any = ...


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**31:
        raise ValueError("expected a positive integer")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("expected a number")
    return float(value)


def _positive(value: Any) -> float:
    if not _number(value) > 0:
        raise ValueError("expected a positive number")
    return float(value)


def _activation(value: Any) -> str:
    value = SYNONYMS.get(value, value) if isinstance(value, str) else value
    if value is None:
        return "linear"
    if value not in ACTIVATIONS:
        raise ValueError("it is not one of Keras' activations that are known here by name")
    return value


def _one_of(*values: Any) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not any(type(value) is type(known) and value == known for known in values):
            raise ValueError(f"only {' or '.join(map(repr, values))} can be represented")
        return value

    return check


def _shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list) or not all(size is None or _count(size) for size in value):
        raise ValueError("expected a list of sizes")
    return tuple(value)


NO = Option(_one_of(False), False)
NONE = Option(_one_of(None), None)
RATE = Option(_number, 0.0)

_CELL = {
    "units": Option(_count),
    "activation": Option(_activation),
    "use_bias": Option(_flag),
    "dropout": RATE,
    "recurrent_dropout": RATE,
}
_SEQUENCE = {
    "return_sequences": Option(_flag),
    "return_state": NO,
    "go_backwards": Option(_flag, False),
    "stateful": Option(_flag, False),
    "zero_output_for_mask": Option(_flag, False),
    "time_major": NO,
}
_GATED = _CELL | {"recurrent_activation": Option(_activation)}
_RESET = _GATED | {"reset_after": Option(_flag)}
_NOTHING: dict[str, Option] = {}

SCHEMAS: Mapping[str, Mapping[str, Option]] = {
    "InputLayer": {
        "batch_shape": Option(_shape, None),
        "batch_input_shape": Option(_shape, None),
        "sparse": NO,
        "ragged": NO,
        "optional": NO,
    },
    "LSTM": _GATED | _SEQUENCE,
    "GRU": _RESET | _SEQUENCE,
    "SimpleRNN": _CELL | _SEQUENCE,
    "LSTMCell": _GATED,
    "GRUCell": _RESET,
    "SimpleRNNCell": _CELL,
    "RNN": _SEQUENCE,
    "StackedRNNCells": {"reverse_state_order": NO},
    "Bidirectional": {"merge_mode": Option(_one_of("concat", "sum", "mul", "ave", None))},
    "TimeDistributed": _NOTHING,
    "Dense": {
        "units": Option(_count),
        "activation": Option(_activation),
        "use_bias": Option(_flag),
        "lora_rank": NONE,
        "quantization_config": NONE,
        "quantization_mode": NONE,
    },
    "Embedding": {
        "input_dim": Option(_count),
        "output_dim": Option(_count),
        "mask_zero": Option(_flag, False),
        "lora_rank": NONE,
        "sparse": NO,
        "quantization_config": NONE,
        "quantization_mode": NONE,
    },
    "Masking": {"mask_value": Option(_number)},
    "RepeatVector": {"n": Option(_count)},
    "Activation": {"activation": Option(_activation)},
    "ReLU": {
        "max_value": NONE,
        "negative_slope": Option(_one_of(0.0, 0), 0.0),
        "threshold": Option(_one_of(0.0, 0), 0.0),
    },
    "ELU": {"alpha": Option(_positive, 1.0)},
    "LeakyReLU": {"negative_slope": Option(_positive, None), "alpha": Option(_positive, None)},
    "Softmax": {"axis": Option(_one_of(-1), -1)},
    "Dropout": {"rate": RATE, "noise_shape": NONE},
    "SpatialDropout1D": {"rate": RATE, "noise_shape": Option(lambda value: None, None)},
    "GaussianNoise": {"stddev": Option(_number)},
    "GaussianDropout": {"rate": RATE},
    "AlphaDropout": {"rate": RATE, "noise_shape": NONE},
    "ActivityRegularization": {"l1": Option(_number), "l2": Option(_number)},
}
"""By Keras' class name: options that matter, beside those that are ignored."""

PARTS = {
    "Bidirectional": ("layer", "backward_layer"),
    "TimeDistributed": ("layer",),
    "RNN": ("cell",),
    "StackedRNNCells": ("cells",),
}
"""Options that hold layers."""

MODULES = ("keras", "keras.layers", "keras.src", "tf_keras", "tensorflow.keras")


def options_of(kind: str, config: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The options of a layer that matter, checked, with defaults for those that are not there.

    Raises
    ------
    ConvertError
        If the layer, an option or a value is none that can be represented; the message says which.
    """
    schema = SCHEMAS[kind]
    unknown = [key for key in config if key not in schema and key not in IGNORED and key not in PARTS.get(kind, ())]
    if unknown:
        raise ConvertError(f"{where}: {kind} has the unknown option {unknown[0]!r:.80} = {config[unknown[0]]!r:.80}.")
    found = {}
    for name, option in schema.items():
        if name not in config and option.default is ...:
            raise ConvertError(f"{where}: {kind} does not say {name!r}, which is needed.")
        if name not in config:
            found[name] = option.default
            continue
        try:
            found[name] = option.check(config[name])
        except (ValueError, TypeError) as error:
            raise ConvertError(f"{where}: {kind} has {name}={config[name]!r:.80}; {error}.") from None
    return found


def known_kind(description: Any, where: str) -> str:
    """The class name in the description of a layer, if it is one of Keras' own that can be represented.

    Raises
    ------
    ConvertError
        If it is somebody's own class, or one that is not in :data:`SCHEMAS`; the message says what was found.
    """
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        raise ConvertError(f"{where}: a layer with a class_name and a config was expected, got {description!r:.120}.")
    kind, module = description.get("class_name"), description.get("module", "keras.layers")
    registered = description.get("registered_name")
    if not isinstance(kind, str) or kind not in SCHEMAS:
        known = ", ".join(sorted(SCHEMAS))
        raise ConvertError(f"{where}: the layer {kind!r:.80} cannot be represented; those that can are {known}.")
    if not (module in MODULES or (isinstance(module, str) and module.startswith("keras.src.layers."))):
        raise ConvertError(f"{where}: the layer {kind!r} is of the module {module!r:.80}, not one of Keras' own.")
    if registered not in (None, kind):
        raise ConvertError(f"{where}: the layer {kind!r} is registered as {registered!r:.80}, not one of Keras' own.")
    return kind
