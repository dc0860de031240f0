"""Native files: the header of safetensors, and descriptions whose checksum is right."""

from __future__ import annotations

from collections.abc import Iterable

from target import as_file, fuzz

put = as_file(".safetensors")


def seeds() -> Iterable[bytes]:
    import json

    from hostile_files.native import NATIVE, description_of

    for seed in NATIVE.seeds():
        yield b"f" + seed
        yield b"d" + json.dumps(description_of(seed)).encode()


def target(data: bytes) -> object:
    """A file, or after "d" a description that is put into one."""
    from hostile_files.native import NATIVE, with_description

    from seqkit.interop.native import load
    from seqkit.limits import parse_json

    if data[:1] == b"d":
        return load(put(with_description(NATIVE.seeds()[1], parse_json(data[1:], "a description"))))
    return load(put(data[1:]))


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.limits", "seqkit.safetensors_header", "seqkit.checkpoint", "seqkit.saving"))
