"""The cells of this package as PyTorch modules that loop over time, each written from its paper.

They are the oracle of ``tests/test_torch.py`` and the opponents of ``benchmarks/zoo.py``.  As a
careful user would, they multiply input and state once for all gates that see them.
"""

from torch_loops.gated import JANET, MGU, RAN, UGRNN, FastGRNN, MinimalRNN
from torch_loops.light import QRNN, SRU, IndRNN, MinGRU, MinLSTM
from torch_loops.loop import Loop
from torch_loops.lstms import LSTMP, NAS, SLSTM, ChronoLSTM, GroupNormSLSTM, MultiplicativeLSTM
from torch_loops.measured import AUGRU, GRUD, PhasedLSTM
from torch_loops.normalised import LayerNormGRU, LayerNormLSTM, LiGRU
from torch_loops.oscillators import LEM, CoRNN

LOOPS: dict[str, type[Loop]] = {
    "mgu": MGU,
    "minimal_rnn": MinimalRNN,
    "ugrnn": UGRNN,
    "ran": RAN,
    "indrnn": IndRNN,
    "sru": SRU,
    "qrnn": QRNN,
    "min_gru": MinGRU,
    "min_lstm": MinLSTM,
    "li_gru": LiGRU,
    "layer_norm_lstm": LayerNormLSTM,
    "layer_norm_gru": LayerNormGRU,
    "multiplicative_lstm": MultiplicativeLSTM,
    "nas": NAS,
    "janet": JANET,
    "chrono_lstm": ChronoLSTM,
    "lem": LEM,
    "cornn": CoRNN,
    "fast_grnn": FastGRNN,
    "lstmp": LSTMP,
    "slstm": SLSTM,
    "group_norm_slstm": GroupNormSLSTM,
    "augru": AUGRU,
    "phased_lstm": PhasedLSTM,
    "gru_d": GRUD,
}
