"""HDF5 files that are made to do harm, and the process that reads them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seqkit.errors import ConvertError, LoadError, UnsafeFileError
from seqkit.interop.keras import hdf5 as module
from seqkit.interop.keras.hdf5 import CHILD, read_hdf5
from seqkit.interop.keras.read import from_keras, read

pytest.importorskip("h5py", reason="h5py is not installed")

FOLDER = Path(__file__).parent / "vectors" / "keras"
SENTIMENT = FOLDER / "sentiment.keras"


def hdf5(path: Path, make: Callable[[Any], None], **options: Any) -> Path:
    """A file of weights with something in it that should not be there."""
    import h5py

    with h5py.File(path, "w", **options) as file:
        file.create_dataset("layers/dense/vars/0", data=np.ones((2, 2), np.float32))
        make(file)
    return path


def external(file: Any) -> None:
    file.create_dataset("x", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def virtual(file: Any) -> None:
    import h5py

    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
    file.create_virtual_dataset("x", layout)


def circle(file: Any) -> None:
    file["layers/again"] = file["layers"]


def compound(file: Any) -> None:
    file["x"] = np.zeros(2, [("a", "f4")])


def committed(file: Any) -> None:
    file["x"] = np.dtype("f4")


def texts(file: Any) -> None:
    import h5py

    file.create_dataset("x", (2,), h5py.string_dtype())


def link(kind: str, *target: str) -> Callable[[Any], None]:
    def make(file: Any) -> None:
        import h5py

        file["x"] = getattr(h5py, kind)(*target)

    return make


def data_set(**options: Any) -> Callable[[Any], None]:
    return lambda file: file.create_dataset("x", **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (link("ExternalLink", "/etc/passwd", "/"), "a link to another place"),
        (link("SoftLink", "/layers"), "a link to another place"),
        (circle, "under another name, too"),
        (external, "lie in other files"),
        (virtual, "lie in other files"),
        (compound, "does not hold plain numbers"),
        (committed, "neither a group nor a data set"),
        (texts, "does not hold plain numbers"),
        (data_set(data=np.zeros(4, "c8")), "does not hold plain numbers"),
        (data_set(data=np.zeros(40, "f4"), compression="lzf"), "a filter other than gzip"),
        (data_set(data=np.zeros(40, "f4"), fletcher32=True), "a filter other than gzip"),
        (data_set(shape=(2**40,), dtype="f4"), "declares 4398046511104 bytes and has 0"),
        (data_set(shape=(2**40,), dtype="f4", chunks=(1024,)), "declares 4398046511104 bytes and has 0"),
        (data_set(data=np.zeros(2**22, "f4"), compression="gzip"), "declares 16777216 bytes"),
        (data_set(data=np.zeros((1,) * 9, "f4")), "more than 8 dimensions"),
        (data_set(data=np.zeros(2, "f4"), chunks=(2**20,), maxshape=(None,)), "is cut into pieces"),
        (lambda file: file.attrs.update(model_config=np.arange(3)), "is no text"),
        (lambda file: file.attrs.update(layer_names=[[b"a"]]), "is no text"),
        (lambda file: file.create_group("/".join("a" * 70)), "deeper than 64"),
    ],
)
def test_hostile_hdf5(make: Callable[[Any], None], message: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeFileError, match=message):
        from_keras(hdf5(tmp_path / "m.h5", make), {"layers": []})


def test_what_is_plain_is_read(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=(40, 3)).astype(">f8")
    path = hdf5(tmp_path / "m.h5", data_set(data=numbers, compression="gzip", shuffle=True))
    found = read_hdf5(path.read_bytes(), "m.h5")
    np.testing.assert_array_equal(found.arrays["x"], numbers)
    assert found.arrays["x"].dtype == np.float64
    assert list(found.arrays) == ["layers/dense/vars/0", "x"]


def test_user_block_and_damage(tmp_path: Path) -> None:
    path = hdf5(tmp_path / "m.h5", lambda file: None, userblock_size=512)
    with pytest.raises(LoadError, match="zip"):
        from_keras(path)
    whole = (FOLDER / "sensor.h5").read_bytes()
    rng = np.random.default_rng(0)
    for number in range(6):
        data = bytearray(whole)
        for place in rng.integers(8, len(whole), 200 if number % 2 else 3):
            data[place] = rng.integers(256)
        path.write_bytes(bytes(data if number % 3 else data[: rng.integers(8, len(data))]))
        try:
            read(path)
        except (LoadError, ConvertError):
            continue


def test_a_child_that_crashes_or_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child = tmp_path / "child.py"
    monkeypatch.setattr(module, "CHILD", child)
    head = "import os, sys\nsys.stdin.buffer.read()\nout = sys.stdout.buffer\n"
    answers = {
        "os.kill(os.getpid(), 11)": "crashed",
        "out.write(b'[1]\\n')": "crashed|announced",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [2]]}}\\n1234\')': "crashed",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [1]]}}\\n12345\')': "more than it announced",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["|O8", [1]]}}\\n\')': "an unusual form",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f4", [-1]]}}\\n\')': "cannot have the shape",
        'out.write(b\'{"texts": {}, "arrays": {"a": ["<f8", [99999999999]]}}\\n\')': "times the bytes",
    }
    for answer, message in answers.items():
        child.write_text(head + answer)
        with pytest.raises(UnsafeFileError, match=message):
            module.read_hdf5(module.SIGNATURE + bytes(100), "m.h5")


def test_the_child_cannot_do_anything_else(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(CHILD.parent)!r})\n"
        "import hdf5_child, os, socket\nhdf5_child.confine(1000, 100)\n"
    )
    for attempt in (f"open({str(tmp_path / 'x')!r}, 'w')", "import calendar", "os.system('true')", "socket.socket()"):
        done = subprocess.run([sys.executable, "-c", code + attempt], capture_output=True)
        assert done.returncode == 99, (attempt, done)
    unheard = code.replace("hdf5_child.confine", "hdf5_child._refuse = lambda *a: None\nhdf5_child.confine")
    done = subprocess.run([sys.executable, "-c", f"{unheard}open({str(CHILD)!r})"], capture_output=True)
    assert b"Too many open files" in done.stderr  # whoever goes past the audit hook, such as C, can open nothing
    done = subprocess.run([sys.executable, "-c", f"{unheard}bytearray(300 << 20)"], capture_output=True)
    assert b"MemoryError" in done.stderr
    done = subprocess.run([sys.executable, "-c", f"{unheard}while True: pass"], capture_output=True, timeout=60)
    assert done.returncode < 0


def test_no_keras_is_imported() -> None:
    code = (
        f"import sys\nfrom seqkit.interop import from_keras\nfrom_keras({str(SENTIMENT)!r})\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('keras', 'h5py', 'torch')])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
