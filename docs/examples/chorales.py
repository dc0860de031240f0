"""
Music: the JSB chorales
=======================

Negative log-likelihood of a frame of the JSB chorales (Boulanger-Lewandowski and others 2012).

A frame, a quarter note, is a set of the 88 notes of a piano; each is predicted from the frames
before, the first frame of a chorale from nothing: all 4,725 frames of the 77 chorales of the test
set are scored.  The weights are those of the epoch that is best on the validation set.
"""

from __future__ import annotations

import common
import numpy as np

import seqkit
from seqkit.training.losses import BinaryCrossentropy
from seqkit.training.optimizers import Adam

NOTES = 88


def predecessors(rolls: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs, each frame's predecessor, and targets."""
    return [np.concatenate([np.zeros_like(notes[:1]), notes[:-1]]) for notes in rolls], rolls


def nll(model: seqkit.Sequential, data: tuple[list[np.ndarray], list[np.ndarray]]) -> float:
    """Negative log-likelihood per frame, in nats."""
    return NOTES * float(model.evaluate(*data))  # the loss is a mean over the notes


def main() -> None:
    """Train, keep the best epoch, measure it."""
    parser = common.parser(__doc__)
    parser.add_argument("--units", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--patience", type=int, default=30)
    options = parser.parse_args()
    data = common.load("jsb")
    train, validation, test = (predecessors(part.x) for part in (data.train, data.validation, data.test))
    if options.quick:
        options.units, options.epochs = 16, 1
    lstm = seqkit.LSTM(options.units, dropout=0.2, recurrent_dropout=0.2, return_sequences=True)
    model = seqkit.Sequential([lstm, seqkit.Dropout(0.5), seqkit.Dense(NOTES)], seed=options.seed)
    model.compile(Adam(0.002, global_clipnorm=1.0), BinaryCrossentropy(from_logits=True))
    stop = seqkit.EarlyStopping(patience=options.patience)  # on the loss of the validation set
    history = model.fit(
        *train, batch_size=16, epochs=options.epochs, validation_data=validation, callbacks=[stop]
    ).history
    print(f"best of {len(history['loss'])} epochs on validation: {NOTES * min(history['val_loss']):.3f}")
    print(f"test: {nll(model, test):.3f} nats per frame, first frames scored")


if __name__ == "__main__":
    main()
