"""What is measured, by asv and by ``compare.py``.

Everything here is a literal: the same figures are taken of old and new versions, and a table
that came from the installed version would compare different things.  ``tests/test_benchmarks.py``
fails when a built-in cell is not in the list.  Append; what is changed loses its history.

Legend: B batch, T time, H units, of which there are as many as input features.
"""

from __future__ import annotations

CELLS = ["simple_rnn", "lstm", "gru", "peephole", "projected_lstm"]
SHAPES = {
    "infer": ["B1 T100 H128", "B32 T100 H64", "B32 T100 H256"],
    "train": ["B1 T100 H128", "B32 T100 H64", "B32 T100 H256"],
    "step": ["B1 T1 H128", "B32 T1 H128"],
}
"""Sizes by mode; what is called in a mode, and with what data, is for `seqkit bench` to say."""
ACTIVATIONS = ["tanh", "sigmoid"]
CALLS = ["infer B32 T20 H32", "train B32 T20 H32", "step B1 T1 H32"]
"""What is counted: small, since a machine that is made of instructions takes fifty times as long."""
DATA_FILES = ["csv", "npz", "ts"]
MODEL_FILES = {"native": "safetensors", "torch": "safetensors", "onnx": "onnx", "rtneural": "json"}
ESTIMATORS = ["SequenceClassifier", "SequenceRegressor"]
