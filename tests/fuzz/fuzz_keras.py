"""Keras' configurations: the layers they describe, with weights that fit the first of the seeds."""

from __future__ import annotations

from collections.abc import Iterable

from target import fuzz


def seeds() -> Iterable[bytes]:
    from hostile_files import zips
    from hostile_files.keras_files import KERAS, archives

    for data in (*KERAS.seeds(), *(case.data for case in archives() if not case.name.startswith(("zip", "w")))):
        text = zips.unpack(data or b"").get("config.json", b"")
        if len(text) < 10_000:
            yield text


def target(data: bytes) -> object:
    from seqkit.interop.keras.config import chain_of
    from seqkit.interop.keras.convert import model_of
    from seqkit.interop.keras.weights import filled
    from seqkit.limits import parse_json

    chain = chain_of(parse_json(data, "config.json"), "model.keras")
    return model_of(filled(chain, weights(), "model.keras"), "model.keras")


def weights() -> object:
    """What the child process gave for the seed, once."""
    global _weights
    if _weights is None:
        from hostile_files import zips
        from hostile_files.keras_files import KERAS, WEIGHTS

        from seqkit.interop.keras.hdf5 import read_hdf5

        _weights = read_hdf5(zips.unpack(KERAS.seeds()[0])[WEIGHTS], WEIGHTS)
    return _weights


_weights: object = None

if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.keras", "seqkit.limits"))
