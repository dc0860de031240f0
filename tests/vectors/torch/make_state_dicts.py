"""Writes the files beside it with PyTorch: ``python tests/vectors/torch/make_state_dicts.py``.

Each ``<name>.npz`` holds an input, lengths and the outputs of the modules whose tensors are in ``<name>.pt`` or
``<name>.safetensors``, computed on packed sequences.  PyTorch 2.13.0 wrote those that are kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FOLDER = Path(__file__).parent
LENGTHS = [6, 1, 4]


class Tagger(nn.Module):
    """A model of its own kind, as in `tagger.toml`."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.table = nn.Embedding(11, 4)
        self.encoder = nn.GRU(4, 3, bidirectional=True, batch_first=True)
        self.squash = nn.Linear(6, 5)
        self.reader = nn.LSTM(5, 4, 2, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = run(self.encoder, self.table(ids))[0]
        x = torch.relu(self.squash(x))
        _, (h, _) = run(self.reader, x)
        return torch.softmax(self.head(h[-1]), dim=-1)


def run(module: nn.Module, x: torch.Tensor) -> Any:
    packed = pack_padded_sequence(x, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False)
    y, state = module(packed)
    return pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], state


def keep(name: str, x: torch.Tensor, y: torch.Tensor) -> None:
    np.savez(FOLDER / f"{name}.npz", x=x.numpy(), lengths=LENGTHS, y=y.detach().float().numpy())


def main() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 6, 3)
    lstm = nn.LSTM(3, 4, 2, bidirectional=True, batch_first=True)
    torch.save(lstm.state_dict(), FOLDER / "lstm.pt")
    keep("lstm", x, run(lstm, x)[0])

    gru = nn.GRU(3, 5, batch_first=True)
    optimizer = torch.optim.Adam(gru.parameters())
    run(gru, x)[0].sum().backward()
    optimizer.step()
    checkpoint = {"epoch": 7, "state_dict": {f"encoder.{key}": value for key, value in gru.state_dict().items()}}
    torch.save(checkpoint | {"optimizer": optimizer.state_dict()}, FOLDER / "checkpoint.pt")
    keep("checkpoint", x, run(gru, x)[0])

    rnn = nn.RNN(3, 4, 2, nonlinearity="relu", bias=False, batch_first=True).bfloat16()
    torch.save(rnn.state_dict(), FOLDER / "half.pt")
    keep("half", x, run(rnn.float(), x)[0])

    projected = nn.LSTM(3, 6, 2, proj_size=2, bidirectional=True, batch_first=True).double()
    save_file(projected.state_dict(), FOLDER / "projected.safetensors")
    keep("projected", x, run(projected, x.double())[0])

    tagger, ids = Tagger(), torch.randint(0, 11, (3, 6))
    save_file(tagger.state_dict(), FOLDER / "tagger.safetensors")
    torch.save(tagger.state_dict(), FOLDER / "tagger.pt")
    keep("tagger", ids, tagger(ids))


if __name__ == "__main__":
    main()
