"""Kill training again and again and see whether it ends in the same bits.

``python tests/kills.py 100`` kills it 100 times, at random moments (SIGKILL: nothing can be
tidied up), resumes it every time and compares the weights and the history with those of
training that nobody disturbed.  Training that comes to its end between two kills begins anew.

A moment is drawn after training has begun: a process of its own starts in half a second, which
would otherwise take most of the kills.  Every fourth comes before, while it starts and resumes.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

SAMPLES, BATCH, EPOCHS = 64, 4, 5


def train(folder: str) -> str:
    """Train to the end, from where the folder's last checkpoint was; a checksum of all results."""
    import seqkit
    from seqkit.layers.dropout import Dropout
    from seqkit.training.callbacks import Callback

    class Announce(Callback):
        def on_train_batch_begin(self, batch: int) -> None:
            if not self.said:
                print("training", flush=True)
            self.said = True

        said = False

    warnings.simplefilter("error")  # a damaged checkpoint would only be reported
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(length, 3)) for length in rng.integers(1, 9, SAMPLES)]
    y = np.array([row.sum() > 0 for row in x]).astype(int)
    layers = [
        seqkit.LSTM(6, return_sequences=True, dropout=0.1, recurrent_dropout=0.2),
        Dropout(0.3),
        seqkit.Bidirectional(seqkit.GRU(4)),
        seqkit.Dense(2, activation="softmax"),
    ]
    model = seqkit.Sequential(layers, seed=1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy", "f1"])
    callbacks = [
        seqkit.EarlyStopping("loss", patience=3),
        seqkit.ReduceLROnPlateau("loss", patience=1, factor=0.5, min_delta=0.05),
        seqkit.Checkpoint(folder, every=2, unit="batches", keep=2, best="accuracy"),
        Announce(),
    ]
    with seqkit.threads(1):
        history = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, callbacks=callbacks, resume=folder)
    digest = hashlib.sha256(repr(history).encode())
    for array in model.params.values():
        digest.update(array.tobytes())
    return digest.hexdigest()


def killed(folder: Path, delay: float, early: bool) -> str | None:
    """Let another process train and kill it; the result, should it have come to its end before."""
    command = [sys.executable, __file__, "train", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    first = "" if early else process.stdout.readline()  # the result, where only the end was left to do
    time.sleep(delay)
    process.kill()
    out, err = process.communicate()
    if process.returncode not in (0, -9):
        raise RuntimeError(f"training could not be resumed: {err}")
    return (first + out).split()[-1] if process.returncode == 0 else None


def survive(kills: int, folder: Path, seed: int = 0) -> list[str]:
    """Kill training so many times, then let it end; the results of every training that ended."""
    rng, done, results = np.random.default_rng(seed), 0, []
    while done < kills:
        early = done % 4 == 3
        result = killed(folder / str(len(results)), rng.uniform(0, 0.5 if early else 0.1), early)
        if result is None:
            done += 1
        else:
            results.append(result)
    return [*results, train(str(folder / str(len(results))))]


def main() -> None:
    """Kill as often as the command says, and tell."""
    if sys.argv[1] == "train":
        print(train(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        results = survive(int(sys.argv[1]), Path(folder) / "killed")
        equal = set(results) == {train(f"{folder}/whole")}
        damaged = len(list(Path(folder).rglob("*.damaged")))
    print(f"{sys.argv[1]} kills of {len(results)} trainings, {damaged} damaged checkpoints")
    print("all results equal those of undisturbed training" if equal else "results DIFFER")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
