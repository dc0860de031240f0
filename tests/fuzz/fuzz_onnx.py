"""ONNX files: Protocol Buffers, and the graph that is made of them."""

from __future__ import annotations

from collections.abc import Iterable

from target import as_file, fuzz

put = as_file(".onnx")


def seeds() -> Iterable[bytes]:
    from hostile_files.onnx_files import ONNX, made

    yield from ONNX.seeds()
    yield from (case.data for case in made() if case.data and len(case.data) < 1000 and "cut off" not in case.name)


def target(data: bytes) -> object:
    from seqkit.interop import from_onnx

    return from_onnx(put(data))


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.onnx",))
