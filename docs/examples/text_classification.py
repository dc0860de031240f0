"""
Classify texts by their words
=============================

Words become ids, a bidirectional LSTM reads them, the largest value of each of its outputs decides.
Beside it stands a linear model of weighted counts of words and pairs of words (tf-idf and logistic
regression of scikit-learn, if it is installed) on the same texts.

Texts are, without ``--csv``, of tinyshakespeare: its sentences, without the mark at their end, which
is the class (full stop, question mark or exclamation mark); or, with ``--of speakers``, the speeches
of at least five words of the ten most frequent speakers, which are the classes.  The text is cut
into 40 passages, of which every fourth is for testing, so that no scene is in both parts.  With
``--csv FILE``, any table with a column for the text and one for its class, a fifth is for testing.
``--save FILE`` keeps the model and its words.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import common
import numpy as np

import seqkit
from seqkit.data.csv_file import read_csv
from seqkit.data.text import Vocabulary
from seqkit.training.optimizers import Adam

SPEAKERS, PASSAGES, EVERY = 10, 40, 4
Texts = list[tuple[str, str]]
"""Pairs of a text and its class."""


def shakespeare(of: str) -> tuple[Texts, Texts]:
    """Texts and classes of the passages to train on, and of those to test."""
    data = common.load("tinyshakespeare")
    speeches = re.findall(r"(?m)^([A-Z][^\n:]*):\n((?:.+\n?)+)", data.train + data.test)
    found = speeches_of(speeches) if of == "speakers" else map(sentences, speeches)
    parts: tuple[Texts, Texts] = [], []
    for number, texts in enumerate(found):
        passage = number * PASSAGES // len(speeches)
        parts[passage % EVERY == EVERY - 1].extend(texts)
    return parts


def speeches_of(speeches: list[tuple[str, str]]) -> list[Texts]:
    """Each speech and its speaker, if it is long enough and he speaks often enough."""
    often = {name for name, _ in Counter(who for who, _ in speeches).most_common(SPEAKERS)}
    return [[(text, who)] if who in often and len(text.split()) >= 5 else [] for who, text in speeches]


def sentences(speech: tuple[str, str]) -> Texts:
    """The sentences of a speech and the marks at their ends."""
    found = re.findall(r"([^.?!]+)([.?!])", speech[1])
    return [(text, mark) for text, mark in found if len(text.split()) >= 3]


def table(path: str, text: str, label: str, seed: int) -> tuple[Texts, Texts]:
    """Rows of a table to train on, and a fifth of them, chosen by chance, to test."""
    rows = read_csv(Path(path))
    pairs = list(zip(rows.texts(text), rows.texts(label), strict=True))
    order = np.random.default_rng(seed).permutation(len(pairs))
    fifth = len(pairs) // 5
    return [pairs[n] for n in order[fifth:]], [pairs[n] for n in order[:fifth]]


def counted(train: Texts, test: Texts) -> float | None:
    """Accuracy of a linear model of weighted counts; None without scikit-learn."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
    except ImportError:
        return None
    linear = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=30, max_iter=1000)
    )
    linear.fit(*zip(*train, strict=True))
    return float(linear.score(*zip(*test, strict=True)))


def network(words: int, classes: int, units: int, seed: int) -> seqkit.Sequential:
    """Vectors of words, an LSTM in both directions, its largest outputs, a class."""
    layers = [
        seqkit.Embedding(words, 64),
        seqkit.Dropout(0.5),
        seqkit.Bidirectional(seqkit.LSTM(units, return_sequences=True)),
        seqkit.create("max_pool"),
        seqkit.Dropout(0.5),
        seqkit.Dense(classes, activation="softmax"),
    ]
    model = seqkit.Sequential(layers, seed=seed)
    model.compile(Adam(0.003, global_clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    """Train, measure, compare."""
    parser = common.parser(__doc__)
    parser.add_argument("--of", choices=("sentences", "speakers"), default="sentences", help="what of tinyshakespeare")
    parser.add_argument("--csv", metavar="FILE", help="a table of texts of your own")
    parser.add_argument("--text", default="text", help="its column with the texts (default text)")
    parser.add_argument("--label", default="label", help="its column with the classes (default label)")
    parser.add_argument("--units", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--least", type=int, default=2, help="how often a word must occur to be known (default 2)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--save", metavar="FILE")
    options = parser.parse_args()
    train, test = (
        table(options.csv, options.text, options.label, options.seed) if options.csv else shakespeare(options.of)
    )
    if options.quick:
        train, test, options.units = train[::16], test[::8], 8
        options.epochs = options.seeds = 1
    words = Vocabulary.fit((text for text, _ in train), lower=True, least=options.least)
    classes = sorted({label for _, label in train})
    test = [(text, label) for text, label in test if label in classes]
    (x, y), (x_test, y_test) = (
        ([words.encode(text) for text, _ in part], np.array([classes.index(label) for _, label in part]))
        for part in (train, test)
    )
    print(f"{len(train)} texts to train on, {len(test)} to test, {len(classes)} classes, {len(words)} words")
    found = []
    for seed in range(options.seed, options.seed + options.seeds):
        model = network(len(words), len(classes), options.units, seed)
        model.fit(x, y, batch_size=32, epochs=options.epochs)
        found.append(model.evaluate(x_test, y_test)[1])
        print(f"seed {seed}: accuracy {found[-1]:.4f}", flush=True)
    majority = np.bincount(y_test, minlength=len(classes))[np.bincount(y).argmax()] / len(y_test)
    linear = counted(train, test)
    print(f"LSTM: accuracy {np.mean(found):.4f}, always the most frequent class {majority:.4f}")
    print("counts of words: scikit-learn is not installed" if linear is None else f"counts of words: {linear:.4f}")
    if options.save:
        model.metadata = {"vocabulary": words.facts(), "classes": classes}
        model.save(options.save)


if __name__ == "__main__":
    main()
