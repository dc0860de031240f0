"""The public kit on every built-in layer, and on options of them that change what a layer is."""

from __future__ import annotations

from collections.abc import Callable

import seqkit
from seqkit import registry
from seqkit.testing import parametrize_layer_checks

OPTIONS = (
    seqkit.LSTM(7, go_backwards=True),
    seqkit.GRU(5, use_bias=False, reset_after=False),
    seqkit.LSTM(6, dropout=0.3, recurrent_dropout=0.4, zoneout={"c": 0.2}),
    seqkit.GRU(6, weight_dropout=0.3, initial_state="learned"),
    seqkit.PeepholeLSTM(33, checkpoint=2),
    seqkit.Bidirectional(seqkit.GRU(5, return_sequences=True)),
    seqkit.Bidirectional(seqkit.LSTM(4), "mul"),
    seqkit.Dense(4, activation="softmax"),
    seqkit.Attention("trained", causal=True),
    seqkit.AdditiveAttention(6, causal=True),
    seqkit.MultiHeadAttention(3, 4, causal=True, use_bias=False),
    seqkit.Conv1D(5, 3, padding="same"),
    seqkit.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="tanh", use_bias=False),
    seqkit.LayerNorm(1e-5, center=False),
    seqkit.Residual(seqkit.MultiHeadAttention(2, 3)),
    seqkit.Residual(seqkit.Conv1D(5, 3, padding="causal")),
    seqkit.Dropout(0.4, noise_shape=(None, 1, None)),
    seqkit.PReLU("random_uniform"),
    seqkit.Activation("exact_gelu"),
    seqkit.Masked([seqkit.LSTM(5, return_sequences=True), seqkit.Dense(4), seqkit.GRU(3)]),
    seqkit.Masked([seqkit.Bidirectional(seqkit.GRU(3, return_sequences=True), "sum"), seqkit.Dropout(0.3)]),
    seqkit.Graph(
        {
            "vectors": seqkit.Embedding(7, 4),
            "both": seqkit.Bidirectional(seqkit.GRU(2, return_sequences=True)),
            "read": seqkit.Attention(),
            "sum": (seqkit.Add(), "read", "vectors"),
            "gate": (seqkit.Multiply(), "sum", "both"),
            "y": seqkit.LSTM(3, return_sequences=True, dropout=0.2),
        }
    ),
    seqkit.Branch([seqkit.GRU(4), seqkit.LSTM(4, return_sequences=False)], "mul"),
    seqkit.EncoderDecoder(
        [seqkit.Embedding(9, 3), seqkit.Bidirectional(seqkit.LSTM(3, return_sequences=True))],
        [seqkit.Embedding(9, 3), seqkit.GRU(4, return_sequences=True)],
        seqkit.AdditiveAttention(5),
    ),
    seqkit.Masked([seqkit.Embedding(5, 3), seqkit.LSTM(4, return_sequences=True, go_backwards=True)]),
)


@parametrize_layer_checks(*registry.BUILT_IN)
def test_built_in(check: Callable[[], None]) -> None:
    check()


@parametrize_layer_checks(*OPTIONS)
def test_options(check: Callable[[], None]) -> None:
    check()
