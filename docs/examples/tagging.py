"""
Give a text its capitals and punctuation back
=============================================

The speeches of tinyshakespeare without punctuation and in small letters; each word is tagged with
what it lost: whether it begins with a capital, and what stood behind it.  The tags need no person
to make them.  A bidirectional LSTM is trained twice, with a softmax for every word and with a
conditional random field over the whole speech (--loss).  Beside it stand the tag that is most
frequent, and the one that is most frequent for each word.

The last tenth of the speeches is for testing.  F1 is of the words that lost something: all tags but
"as it is" together, by words.
"""

from __future__ import annotations

import re
from collections import Counter

import common
import numpy as np

import seqkit
from seqkit.data.text import Vocabulary
from seqkit.training.losses import SparseCategoricalCrossentropy
from seqkit.training.optimizers import Adam

MARKS = ",.;:?!"
PLAIN = " "
"""The tag of a word that lost nothing."""
Speech = list[tuple[str, str]]
"""Words and their tags, such as "A," for a capital and a comma."""


def speeches() -> list[Speech]:
    """Words and tags of every speech, without the names of the speakers."""
    data = common.load("tinyshakespeare")
    texts = re.findall(r"(?m)^[A-Z][^\n:]*:\n((?:.+\n?)+)", data.train + data.test)
    found = [re.findall(r"([A-Za-z]+(?:['-][A-Za-z]+)*)[^A-Za-z,.;:?!]*([,.;:?!]?)", text) for text in texts]
    return [[(word.lower(), tag(word, mark)) for word, mark in speech] for speech in found if speech]


def tag(word: str, mark: str) -> str:
    """What a word loses."""
    return ("A" if word[0].isupper() else PLAIN) + (mark if mark in MARKS else "") or PLAIN


def most_frequent(train: list[Speech]) -> tuple[str, dict[str, str]]:
    """The most frequent tag, and that of each word."""
    counts: dict[str, Counter[str]] = {}
    for speech in train:
        for word, name in speech:
            counts.setdefault(word, Counter())[name] += 1
    overall = sum(counts.values(), Counter())
    return overall.most_common(1)[0][0], {word: own.most_common(1)[0][0] for word, own in counts.items()}


def scores(true: list[str], found: list[str]) -> str:
    """Accuracy, and F1 of the words that lost something."""
    right = sum(a == b for a, b in zip(true, found, strict=True))
    hits = sum(a == b != PLAIN for a, b in zip(true, found, strict=True))
    lost, told = (sum(name != PLAIN for name in names) for names in (true, found))
    return f"accuracy {right / len(true):.4f}, F1 {2 * hits / max(lost + told, 1):.4f}"


def network(words: int, tags: int, units: int, loss: str, seed: int) -> seqkit.Sequential:
    """Vectors of words, an LSTM in both directions, a score for each tag of each word."""
    layers = [
        seqkit.Embedding(words, 64),
        seqkit.Dropout(0.3),
        seqkit.Bidirectional(seqkit.LSTM(units, return_sequences=True)),
        seqkit.Dropout(0.3),
        seqkit.Dense(tags),
    ]
    model = seqkit.Sequential(layers, seed=seed)
    chosen = seqkit.CRF(tags) if loss == "crf" else SparseCategoricalCrossentropy(from_logits=True)
    model.compile(Adam(0.003, global_clipnorm=1.0), chosen)
    return model


def tagged(model: seqkit.Sequential, x: list[np.ndarray]) -> list[np.ndarray]:
    """The tags of every word, those of the best path where the loss is a CRF."""
    outputs = model.predict(x)
    if not isinstance(model.loss, seqkit.CRF):
        return [row.argmax(axis=1) for row in outputs]
    lengths = [len(row) for row in outputs]
    padded = np.zeros((len(outputs), max(lengths), outputs[0].shape[1]), dtype=np.float32)
    for place, row in zip(padded, outputs, strict=True):
        place[: len(row)] = row
    return model.loss.decode(padded, lengths)


def restored(words: list[str], tags: list[str]) -> str:
    """Words with what their tags say they lost."""
    return " ".join(
        (word.capitalize() if name[0] == "A" else word) + name[1:] for word, name in zip(words, tags, strict=True)
    )


def main() -> None:
    """Train, measure, compare, show a speech."""
    parser = common.parser(__doc__)
    parser.add_argument("--loss", choices=("softmax", "crf", "both"), default="both")
    parser.add_argument("--units", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=6)
    options = parser.parse_args()
    data = speeches()
    train, test = data[: len(data) * 9 // 10], data[len(data) * 9 // 10 :]
    if options.quick:
        train, options.units, options.epochs = train[::20], 8, 1
    vocabulary = Vocabulary(
        ("<unknown>", *sorted(w for w, n in Counter(w for s in train for w, _ in s).items() if n > 1))
    )
    tags = sorted({name for speech in train for _, name in speech})
    x, x_test = ([np.array([vocabulary.ids.get(w, 0) for w, _ in speech]) for speech in part] for part in (train, test))
    y = [np.array([tags.index(name) for _, name in speech]) for speech in train]
    true = [name for speech in test for _, name in speech]
    overall, own = most_frequent(train)
    print(f"{sum(map(len, train))} words to train on, {len(true)} to test, {len(tags)} tags")
    print(f"the most frequent tag:           {scores(true, [overall] * len(true))}")
    found = [own.get(word, overall) for speech in test for word, _ in speech]
    print(f"the most frequent for each word: {scores(true, found)}", flush=True)
    for loss in ("softmax", "crf") if options.loss == "both" else (options.loss,):
        model = network(len(vocabulary), len(tags), options.units, loss, options.seed)
        for epoch in range(options.epochs):
            model.optimizer.learning_rate = 0.0015 * (1 + np.cos(np.pi * epoch / options.epochs))
            model.fit(x, y, batch_size=32)
        rows = tagged(model, x_test)
        print(f"LSTM, {loss:26s} {scores(true, [tags[n] for row in rows for n in row])}", flush=True)
    print(restored([word for word, _ in test[0]], [tags[n] for n in rows[0]]))


if __name__ == "__main__":
    main()
