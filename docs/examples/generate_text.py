"""
A model that writes
===================

A character model is trained for a minute or two on tinyshakespeare, or on any text file, and then goes on from a
prompt: each letter is drawn from what the model says comes next, and read by it.  The temperature, the number of
letters that may be drawn and the probability that they have together decide how bold it is, see
:func:`seqkit.generation.generate`.

Needs the data set tinyshakespeare (``seqkit datasets fetch tinyshakespeare``), or ``--text FILE``.
"""

from __future__ import annotations

import time
from pathlib import Path

import common
import numpy as np

import seqkit
from seqkit.data.text import Vocabulary
from seqkit.generation import generate
from seqkit.training.losses import SparseCategoricalCrossentropy

STEPS = 64


def windows(ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The text from a random place on, cut into windows, and what follows each letter."""
    ids = ids[rng.integers(STEPS) :]
    count = (len(ids) - 1) // STEPS
    return ids[: count * STEPS].reshape(count, STEPS), ids[1 : count * STEPS + 1].reshape(count, STEPS)


def trained(ids: np.ndarray, letters: int, options: object, seed: int) -> seqkit.Sequential:
    """A model that has read the text a few times."""
    units, epochs = options.units, options.epochs  # type: ignore[attr-defined]
    lstm = seqkit.LSTM(units, return_sequences=True)
    model = seqkit.Sequential([seqkit.Embedding(letters, 32), lstm, seqkit.Dense(letters)], seed=seed)
    model.compile(seqkit.Adam(0.005, global_clipnorm=1.0), SparseCategoricalCrossentropy(from_logits=True))
    rng, began = np.random.default_rng([seed, 1]), time.perf_counter()
    for epoch in range(epochs):
        loss = model.fit(*windows(ids, rng), batch_size=32, verbose=0).history["loss"][0]
        seconds = time.perf_counter() - began
        print(f"epoch {epoch + 1}: {loss / np.log(2):.3f} bits per character, {seconds:.0f} s", flush=True)
    return model


def main() -> None:
    """Train, then write."""
    parser = common.parser(__doc__)
    parser.add_argument("--text", type=Path, help="a text file to learn from")
    parser.add_argument("--prompt", default="ROMEO:\n")
    parser.add_argument("--length", type=int, default=400, help="letters to write (default 400)")
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-k", type=int, default=None)
    parser.add_argument("--top-p", type=float, default=0.95)
    parser.add_argument("--units", type=int, default=192)
    parser.add_argument("--epochs", type=int, default=5)
    options = parser.parse_args()
    text = common.load("tinyshakespeare").train if options.text is None else options.text.read_text()
    if options.quick:
        text, options.units, options.epochs, options.length = text[:20_000], 16, 1, 40
    letters = Vocabulary.fit([text, options.prompt], "characters", unknown=False)
    model = trained(letters.encode(text), len(letters), options, options.seed)
    model.metadata["vocabulary"] = letters.facts()  # what its ids mean, for whoever loads it
    prompt = letters.encode(options.prompt)
    filters = {"top_k": options.top_k, "top_p": options.top_p}
    for temperature in (0.0, options.temperature):
        began = time.perf_counter()
        found = generate(model, prompt, options.length, temperature=temperature, seed=options.seed, **filters)
        seconds = time.perf_counter() - began
        print(f"\n--- temperature {temperature:g}: {options.length / seconds:.0f} letters a second")
        print(options.prompt + letters.decode(found))


if __name__ == "__main__":
    main()
