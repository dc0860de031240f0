"""The interpreter of pickles, and what becomes of the tensors that they describe."""

from __future__ import annotations

from collections.abc import Iterable

from target import as_file, fuzz

put = as_file(".pt")
WORDS = (
    *("torch._utils", "_rebuild_tensor_v2", "FloatStorage", "HalfStorage", "storage"),
    *("cpu", "collections", "OrderedDict", "weight_ih_l0", "weight_hh_l0"),
)


def seeds() -> Iterable[bytes]:
    from hostile_files import zips
    from hostile_files.torch_files import PICKLES, made

    yield from (zips.unpack(seed)["archive/data.pkl"] for seed in PICKLES.seeds())
    for case in made():
        if case.data is not None and b"archive/data.pkl" in case.data[:60] and len(case.data) < 5000:
            end = case.data.find(b"PK\x03\x04", 4)
            yield case.data[case.data.find(b"data.pkl") + 8 : end]


def target(data: bytes) -> object:
    from hostile_files import zips

    from seqkit.interop import load

    members = {"archive/data.pkl": data, "archive/byteorder": b"little"}
    return load(put(zips.pack(members | {f"archive/data/{key}": bytes(96) for key in range(4)})))


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.torch",), WORDS)
