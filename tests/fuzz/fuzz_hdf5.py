"""The walk through HDF5 files, in this process: where the HDF5 library crashes, the file is kept.

The library itself is not instrumented.  Its crashes are no finding for users, for whom it runs in a process of its
own; but they are for the library.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import asdict

from target import fuzz


def seeds() -> Iterable[bytes]:
    import h5py
    import numpy as np
    from hostile_files import hdf5

    def small(file: h5py.File) -> None:
        file.attrs["keras_version"] = np.bytes_("3")  # texts of other lengths lead into endless loops of the library
        file.create_dataset("a/b", data=[1.0, 2.0], compression="gzip", shuffle=True)

    yield hdf5.written(small)
    yield hdf5.written(lambda file: file.create_dataset("x", data=[1.0]), libver="latest")
    yield from (hdf5.written(edit) for edit in hdf5.strange().values())


def target(data: bytes) -> None:
    from seqkit.interop.keras import hdf5_child
    from seqkit.limits import LIMITS

    hdf5_child.answer(data, asdict(LIMITS), io.BytesIO())


if __name__ == "__main__":
    fuzz(target, seeds, ("seqkit.interop.keras.hdf5_child",))
