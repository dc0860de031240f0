"""Reading: data files into sequences, and models of every format into models."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from .common import DATA_FILES, MODEL_FILES

SEQUENCES, STEPS, FEATURES = 200, 50, 8
UNITS, INPUTS = 256, 64


class Data:
    """200 sequences of 50 steps and 8 features."""

    params = (DATA_FILES,)
    param_names = ("kind",)

    def setup(self, kind: str) -> None:
        self.path = data_file(kind)
        self.time_read(kind)

    def time_read(self, kind: str) -> None:
        from seqkit.data.files import Columns, read_sequences

        read_sequences(self.path, Columns(id="id", label="label") if kind == "csv" else Columns())


class Models:
    """LSTM(256) and Dense(10), 330,000 numbers; as PyTorch's state dict, the LSTM alone."""

    params = (list(MODEL_FILES),)
    param_names = ("kind",)

    def setup(self, kind: str) -> None:
        try:
            self.path = model_file(kind)
        except (ImportError, AttributeError):
            raise NotImplementedError(f"this version does not write {kind}") from None
        self.time_load(kind)

    def time_load(self, kind: str) -> None:
        import seqkit

        (seqkit.Sequential.load if kind == "native" else seqkit.interop.load)(self.path)


@cache
def data_file(kind: str) -> Path:
    """A file of random numbers."""
    x = np.random.default_rng(0).standard_normal((SEQUENCES, STEPS, FEATURES))
    path = Path(mkdtemp(prefix="seqkit-asv-"), f"data.{kind}")
    if kind == "npz":
        np.savez(path, x=x, y=np.arange(SEQUENCES) % 3)
    else:
        path.write_text({"csv": _csv, "ts": _ts}[kind](x))
    return path


@cache
def model_file(kind: str) -> Path:
    """A model, written by the version that is measured; or a state dict as PyTorch names and stores it."""
    import seqkit

    model = seqkit.Sequential([seqkit.LSTM(UNITS, return_sequences=True), seqkit.Dense(10)]).build(INPUTS)
    path = Path(mkdtemp(prefix="seqkit-asv-"), f"model.{MODEL_FILES[kind]}")
    if kind == "native":
        model.save(path)
    elif kind == "torch":
        _save_state_dict(path)
    else:
        getattr(seqkit.interop, f"to_{kind}")(model, path)
    return path


def _save_state_dict(path: Path) -> None:
    from safetensors.numpy import save_file

    shapes = {
        "weight_ih_l0": (4 * UNITS, INPUTS),
        "weight_hh_l0": (4 * UNITS, UNITS),
        "bias_ih_l0": (4 * UNITS,),
        "bias_hh_l0": (4 * UNITS,),
    }
    rng = np.random.default_rng(0)
    save_file({name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()}, path)


def _csv(x: np.ndarray) -> str:
    heads = ",".join(["id", "label", *(f"f{i}" for i in range(FEATURES))])
    rows = (",".join([str(n), "abc"[n % 3], *map(repr, map(float, row))]) for n, rows in enumerate(x) for row in rows)
    return "\n".join([heads, *rows]) + "\n"


def _ts(x: np.ndarray) -> str:
    heads = f"@problemName demo\n@univariate false\n@dimensions {FEATURES}\n@classLabel true a b c\n@data\n"
    cases = (
        ":".join(",".join(map(repr, map(float, series))) for series in case.T) + f":{'abc'[n % 3]}"
        for n, case in enumerate(x)
    )
    return heads + "\n".join(cases) + "\n"
