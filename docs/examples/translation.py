"""
Dates as people write them, as ISO 8601
=======================================

An encoder-decoder with attention (Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align
and translate", ICLR 2015; Luong, Pham and Manning, "Effective approaches to attention-based neural machine
translation", EMNLP 2015), letter by letter: "Thursday, the 3rd of march '11" becomes "2011-03-03".

Days from 1950 to 2049 are written in random ways; days of the test are never seen in training.  What counts is
whether the whole date is right.  At the end the program shows what the decoder attended to while it wrote one date.
"""

from __future__ import annotations

import datetime
import time

import common
import numpy as np

import seqkit

FIRST, DAYS = datetime.date(1950, 1, 1).toordinal(), 36525
WAYS = (
    "{day} {month} {year}",
    "{month} {day}, {year}",
    "{short} {day} {year}",
    "{day}{th} of {month} {year}",
    "the {day}{th} of {month}, {year}",
    "{month} the {day}{th}, {year}",
    "{weekday}, {day} {short} '{yy}",
    "{weekday} {month} {day} '{yy}",
    "{weekday}, the {day}{th} of {month} '{yy}",
    "{day}-{short}-{year}",
    "{day}.{number}.{year}",
    "{day:02}/{number:02}/{year}",
    "{year}, {month} {day}",
)
LETTERS = " '+,-./0123456789abcdefghijklmnopqrstuvwxyz"
START, END, DIGITS = 0, 1, "0123456789-"


def written(day: int, rng: np.random.Generator) -> str:
    """A day as somebody might write it."""
    date = datetime.date.fromordinal(FIRST + day)
    ending = "th" if date.day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(date.day % 10, "th")
    text = WAYS[rng.integers(len(WAYS))].format(
        day=date.day,
        th=ending,
        number=date.month,
        month=f"{date:%B}",
        short=f"{date:%b}",
        year=date.year,
        yy=f"{date:%y}",
        weekday=f"{date:%A}",
    )
    return text.lower()


def pairs(days: np.ndarray, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Days as they are written, and in ISO 8601."""
    iso = [datetime.date.fromordinal(FIRST + int(day)).isoformat() for day in days]
    return [written(int(day), rng) for day in days], iso


def ids(texts: list[str], alphabet: str, first: int = 0) -> list[np.ndarray]:
    """Letters as numbers."""
    places = {letter: first + number for number, letter in enumerate(alphabet)}
    return [np.array([places[letter] for letter in text], np.int64) for text in texts]


def model_of(units: int, seed: int) -> seqkit.Seq2Seq:
    """Both directions of the text, and a decoder of as many units that attends to them."""
    encoder = seqkit.Bidirectional(seqkit.LSTM(units // 2, return_sequences=True))
    decoder = seqkit.LSTM(units, return_sequences=True)
    return seqkit.Seq2Seq(
        [seqkit.Embedding(len(LETTERS), 32), encoder],
        [seqkit.Embedding(2 + len(DIGITS), 16), decoder],
        attention=seqkit.AdditiveAttention(64),
        start=START,
        end=END,
        seed=seed,
    )


def right(model: seqkit.Seq2Seq, texts: list[str], dates: list[str], method: str) -> float:
    """Share of the dates that are found letter for letter."""
    found = model.generate(ids(texts, LETTERS), method, beam_width=4, max_length=12, batch_size=256)
    wanted = ids(dates, DIGITS, 2)
    return float(np.mean([np.array_equal(one, date) for one, date in zip(found, wanted, strict=True)]))


def show_attention(model: seqkit.Seq2Seq, text: str) -> None:
    """What the decoder looked at for every letter that it wrote: darker where the weight is larger."""
    source = ids([text], LETTERS)[0]
    found = model.generate([source], max_length=12)[0]
    weights = model.attention_weights(source, found)
    print(f"    {text}")
    for letter, row in zip("".join(DIGITS[number - 2] for number in found), weights, strict=False):
        print(f"  {letter} " + "".join(" .:+#"[min(int(5 * weight), 4)] for weight in row))


def main() -> None:
    """Train, measure on unseen days, show one."""
    parser = common.parser(__doc__)
    parser.add_argument("--samples", type=int, default=10_000, help="dates to train on (default 10,000)")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--units", type=int, default=128)
    options = parser.parse_args()
    if options.quick:
        options.samples, options.epochs, options.units = 300, 1, 16
    rng = np.random.default_rng([options.seed, 1])
    days = rng.permutation(DAYS)
    test = pairs(days[:2000][: 50 if options.quick else None], rng)
    train = pairs(rng.choice(days[2000:], options.samples), rng)
    model = model_of(options.units, options.seed)
    model.compile(seqkit.Adam(0.002, global_clipnorm=1.0), metrics=["accuracy"])
    began = time.perf_counter()
    for epoch in range(options.epochs):
        model.optimizer.learning_rate = 0.004 * (1 + np.cos(np.pi * epoch / options.epochs)) / 2
        logs = model.fit(ids(train[0], LETTERS), ids(train[1], DIGITS, 2), batch_size=64, verbose=0).history
        print(f"epoch {epoch + 1}: loss {logs['loss'][0]:.4f}, {time.perf_counter() - began:.0f} s", flush=True)
    for method in ("greedy", "beam"):
        print(f"{method}: {right(model, *test, method):.4f} of {len(test[0])} unseen dates are exactly right")
    show_attention(model, test[0][0])


if __name__ == "__main__":
    main()
