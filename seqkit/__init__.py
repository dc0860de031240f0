"""seqkit: recurrent sequence models on CPUs.

A cell is its equations, written once; they are traced into a program, the exact gradient is
derived from it, and one engine runs them all.  Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "seqkit._core": ("isa", "num_threads", "set_num_threads", "supported_isas", "threads"),
    "seqkit.cells.gru": ("GRU",),
    "seqkit.cells.lstm": ("LSTM",),
    "seqkit.cells.peephole": ("PeepholeLSTM",),
    "seqkit.cells.projected_lstm": ("ProjectedLSTM",),
    "seqkit.cells.simple_rnn": ("SimpleRNN",),
    "seqkit.data.frames": ("sequences_from_frame",),
    "seqkit.equations": ("Cell", "Parameter", "matrix", "vector"),
    "seqkit.errors": ("SeqkitError",),
    "seqkit.importing": ("load_plugin",),
    "seqkit.interop.native": ("load",),
    "seqkit.layer": ("Layer",),
    "seqkit.layers.activation": ("Activation",),
    "seqkit.layers.bidirectional": ("Bidirectional",),
    "seqkit.layers.additive_attention": ("AdditiveAttention",),
    "seqkit.layers.attention": ("Attention",),
    "seqkit.layers.multi_head_attention": ("MultiHeadAttention",),
    "seqkit.layers.layer_norm": ("LayerNorm",),
    "seqkit.layers.residual": ("Residual",),
    "seqkit.layers.time_distributed": ("TimeDistributed",),
    "seqkit.layers.conv1d": ("Conv1D",),
    "seqkit.layers.dense": ("Dense",),
    "seqkit.layers.dropout": ("Dropout",),
    "seqkit.layers.embedding": ("Embedding",),
    "seqkit.layers.last_step": ("LastStep",),
    "seqkit.layers.max_pool": ("MaxPool",),
    "seqkit.layers.mean_pool": ("MeanPool",),
    "seqkit.layers.prelu": ("PReLU",),
    "seqkit.layers.masked": ("Masked",),
    "seqkit.layers.repeat_vector": ("RepeatVector",),
    "seqkit.layers.encoder_decoder": ("EncoderDecoder",),
    "seqkit.graph": ("Graph",),
    "seqkit.layers.add": ("Add",),
    "seqkit.layers.average": ("Average",),
    "seqkit.layers.branch": ("Branch",),
    "seqkit.layers.concatenate": ("Concatenate",),
    "seqkit.layers.multiply": ("Multiply",),
    "seqkit.model": ("Sequential",),
    "seqkit.precision": ("PrecisionReport", "precision_report"),
    "seqkit.recurrent": ("Recurrent",),
    "seqkit.registry": ("create", "register"),
    "seqkit.seq2seq": ("Seq2Seq",),
    "seqkit.training.callbacks.base": ("Callback",),
    "seqkit.training.callbacks.checkpoint": ("Checkpoint",),
    "seqkit.training.callbacks.csv_logger": ("CSVLogger",),
    "seqkit.training.callbacks.early_stopping": ("EarlyStopping",),
    "seqkit.training.callbacks.learning_rate": ("LearningRateScheduler",),
    "seqkit.training.callbacks.reduce_on_plateau": ("ReduceLROnPlateau",),
    "seqkit.training.callbacks.tensorboard": ("TensorBoard",),
    "seqkit.training.learning_rate": ("find_learning_rate",),
    "seqkit.training.crf": ("CRF",),
    "seqkit.training.ctc": ("CTC", "ctc_beam", "ctc_greedy"),
    "seqkit.training.edit_distance": ("edit_distance", "label_error_rate"),
    "seqkit.training.optimizers": ("SGD", "Adam", "AdamW", "RMSprop"),
    "seqkit.wrapper": ("Wrapper",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}
_PACKAGES = ("datasets", "estimators", "explain", "generation", "interop")

__all__ = sorted([*_HOME, *_PACKAGES])


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"seqkit.{name}")
    if name not in _HOME:
        from difflib import get_close_matches  # only an error needs it

        close = get_close_matches(name, __all__, n=1)
        rest = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(__all__)}."
        raise AttributeError(f"module 'seqkit' has no attribute {name!r}; {rest}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
