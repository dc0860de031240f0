"""RTNeural's files."""

from __future__ import annotations

from collections.abc import Iterable

from target import as_file, fuzz

put = as_file(".json")
WORDS = (
    *("in_shape", "layers", "type", "activation", "shape", "weights"),
    *("dense", "lstm", "gru", "prelu", "null", "tanh", "softmax"),
)


def seeds() -> Iterable[bytes]:
    from hostile_files.rtneural_files import RTNEURAL

    return RTNEURAL.seeds()


def target(data: bytes) -> object:
    from seqkit.interop import from_rtneural

    return from_rtneural(put(data))


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.rtneural", "seqkit.limits"), WORDS)
