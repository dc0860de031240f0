"""Model files: what goes in comes out, and a damaged file never passes for a model."""

from __future__ import annotations

import errno
import io
import json
import os
import pickle
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from seqkit import checkpoint, registry
from seqkit.errors import ConfigError, LoadError, NotBuiltError
from seqkit.layers.dense import Dense
from seqkit.layers.dropout import Dropout
from seqkit.layers.embedding import Embedding
from seqkit.layers.last_step import LastStep
from seqkit.model import Sequential
from seqkit.training.losses import Huber, MeanSquaredError
from seqkit.training.optimizers import SGD, AdamW

S, T, F = 6, 4, 3
X = np.random.default_rng(0).normal(size=(S, T, F))
Y = np.random.default_rng(1).normal(size=(S, 2))

TallyType = Callable[..., Any]


@pytest.fixture(autouse=True)
def registered(tally: TallyType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._registered, "tally", tally)


@pytest.fixture
def model(tally: TallyType) -> Sequential:
    m = Sequential([tally(True, input_shape=(None, F)), Dense(4, "tanh"), LastStep(), Dense(2)], 0, "float64")
    m.compile(AdamW(0.01, global_clipnorm=2.0), Huber(0.5), ["mae"])
    m.fit(X, Y, batch_size=4)
    return m


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


class TestRoundTrip:
    def test_weights_and_predictions(self, model: Sequential, path: Path) -> None:
        model.save(path)
        again = Sequential.load(path)
        assert [repr(layer) for layer in again.layers] == [repr(layer) for layer in model.layers]
        assert list(again.params) == list(model.params)
        for name in model.params:
            assert again.params[name].dtype == np.float64
            np.testing.assert_array_equal(again.params[name], model.params[name])
        np.testing.assert_array_equal(again.predict(X), model.predict(X))

    def test_training_goes_on_where_it_stopped(self, model: Sequential, path: Path) -> None:
        model.save(str(path))
        again = Sequential.load(str(path))
        for m in (model, again):
            m.fit(X, Y, batch_size=4, epochs=2, shuffle=False)
        assert model.history is not None
        assert model.history == again.history
        assert list(again.history.history) == ["loss", "mae"]
        for name in model.params:
            np.testing.assert_array_equal(again.params[name], model.params[name])
        assert again.optimizer.config() == model.optimizer.config()

    def test_before_training(self, path: Path) -> None:
        m = Sequential([Embedding(9, 2), Dropout(0.5, seed=3), LastStep(), Dense(1)])
        m.save(path)
        again = Sequential.load(path)
        ids = np.array([[1, 8, 0], [3, 3, 2]])
        np.testing.assert_array_equal(again.predict(ids), m.predict(ids))
        with pytest.raises(ConfigError, match="not compiled"):
            again.fit(ids, [0, 1])

    def test_a_loss_of_your_own_is_left_out(self, model: Sequential, path: Path) -> None:
        class Own(MeanSquaredError):
            pass

        for arguments in (
            {"optimizer": "sgd", "loss": Own()},
            {"optimizer": type("OwnSGD", (SGD,), {})(), "loss": "mse"},
            {"optimizer": "sgd", "loss": "mse", "metrics": [lambda y_true, y_pred, lengths: 0.0]},
        ):
            model.compile(**arguments)
            model.save(path)
            with pytest.raises(ConfigError, match="not compiled"):
                _ = Sequential.load(path).optimizer

    def test_the_file_is_plain_safetensors(self, model: Sequential, path: Path) -> None:
        model.save(path)
        arrays = safetensors.numpy.load_file(path)
        np.testing.assert_array_equal(arrays["1.weight"], model.params["1.weight"])
        assert arrays["optimizer/iterations"] == 2

    def test_arrays_of_every_layout(self, path: Path) -> None:
        base = np.random.default_rng(2).normal(size=(4, 6))
        arrays = {
            "transposed": base.T,
            "reversed": base[::-1],
            "every other": base[:, ::2],
            "fortran": np.asfortranarray(base),
            "single": np.array(3.5),
            "empty": np.zeros((0, 3), np.float32),
            "integers": np.arange(3),
            "broadcast": np.broadcast_to(base[0], (3, 6)),
        }
        checkpoint.write(path, {"what": "layouts"}, arrays)
        description, again = checkpoint.read(path)
        assert description == {"format_version": 1, "what": "layouts"}
        assert set(again) == set(arrays)
        for name, array in arrays.items():
            assert again[name].dtype == array.dtype
            assert again[name].shape == array.shape
            np.testing.assert_array_equal(again[name], array)

    def test_not_savable(self, path: Path) -> None:
        with pytest.raises(NotBuiltError):
            Sequential([Dense(1)]).save(path)

        class Unknown(Dense):
            name = "unknown_layer"

        with pytest.raises(ConfigError, match=r"seqkit\.register"):
            Sequential([Unknown(1)]).build(2).save(path)
        assert not path.exists()


class TestDamage:
    @pytest.fixture
    def good(self, model: Sequential, path: Path) -> bytes:
        model.save(path)
        return path.read_bytes()

    def test_cut_off(self, good: bytes, path: Path) -> None:
        header = 8 + int.from_bytes(good[:8], "little")
        for size in (0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(good) // 2, len(good) - 1):
            path.write_bytes(good[:size])
            with pytest.raises(LoadError, match=r"model\.safetensors: .*(cut off|damaged).*(Save|use) "):
                Sequential.load(path)

    def test_longer(self, good: bytes, path: Path) -> None:
        path.write_bytes(good + b"\0" * 8)
        with pytest.raises(LoadError, match="damaged"):
            Sequential.load(path)

    def test_flipped_bits(self, good: bytes, path: Path) -> None:
        """One bit anywhere: an error, or (in the white space of the header) the very same model."""
        description, arrays = checkpoint.read(path)
        rng, header = np.random.default_rng(3), 8 + int.from_bytes(good[:8], "little")
        places = [*range(8), *rng.choice(range(8, header), 500, replace=False), *rng.integers(header, len(good), 100)]
        survived = 0
        for place in places:
            damaged = bytearray(good)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            try:
                other, values = checkpoint.read(path)
            except LoadError:
                continue
            survived += 1
            assert other == description
            assert all(np.array_equal(values[name], array) for name, array in arrays.items())
        assert survived < 8

    def test_edited_weights(self, good: bytes, path: Path) -> None:
        arrays = dict(safetensors.numpy.load(good))
        arrays["1.bias"] = arrays["1.bias"] + 1e-9
        size = int.from_bytes(good[:8], "little")
        metadata = json.loads(good[8 : 8 + size])["__metadata__"]
        for changed in (arrays, {**safetensors.numpy.load(good), "1.weight": arrays["1.weight"].reshape(3, 4)}):
            path.write_bytes(safetensors.numpy.save(changed, metadata))
            with pytest.raises(LoadError, match="the checksum is wrong"):
                Sequential.load(path)

    @staticmethod
    def others() -> Iterator[bytes]:
        yield b"PK\x03\x04 not a zip"
        yield b"hello, this is a text file about layers\n" * 10
        yield pickle.dumps({"weights": list(range(100))})
        file = io.BytesIO()
        np.savez(file, a=np.arange(3))
        yield file.getvalue()
        yield safetensors.numpy.save({"a": np.arange(3)})
        yield safetensors.numpy.save({"a": np.arange(3)}, {"format": "pt"})
        for header in (b"[1, 2]", b"{}", b'{"__metadata__": 3}', b'{"__metadata__": {"seqkit": 1}}', b"\xff" * 9):
            yield len(header).to_bytes(8, "little") + header
        yield (20000).to_bytes(8, "little") + b"[" * 20000

    def test_other_files(self, path: Path) -> None:
        for content in self.others():
            path.write_bytes(content)
            with pytest.raises(LoadError, match=r"model\.safetensors: (not a s|the header: |damaged: )"):
                Sequential.load(path)

    def test_no_file(self, path: Path) -> None:
        with pytest.raises(LoadError, match=r"model\.safetensors: cannot be read \(No such file"):
            Sequential.load(path)
        with pytest.raises(LoadError, match="not a regular file"):
            Sequential.load(path.parent)

    @pytest.mark.parametrize("version", [3, 0, "1", None, 1.5])
    def test_other_versions(self, model: Sequential, path: Path, version: Any) -> None:
        checkpoint.write(path, {"format_version": version}, {})
        with pytest.raises(LoadError, match=r"this seqkit reads 1 to 2; update seqkit"):
            Sequential.load(path)


def test_what_could_not_be_read_again_is_not_written(path: Path) -> None:
    path.write_bytes(b"what was here before")
    deep: list[Any] = []
    for _ in range(70):
        deep = [deep]
    for metadata in (deep, "\ud800"):
        model = Sequential([Dense(1)]).build(2)
        model.metadata = {"notes": metadata}
        with pytest.raises(ConfigError, match=r"This model cannot be saved: .*the description"):
            model.save(path)
    assert path.read_bytes() == b"what was here before"


class TestWrongContents:
    """Files that are whole but don't fit together."""

    def load(self, model: Sequential, path: Path, match: str, **changes: Any) -> None:
        model.save(path)
        description, arrays = checkpoint.read(path)
        for name, value in changes.pop("arrays", {}).items():
            arrays[name] = value
            if value is None:
                del arrays[name]
        checkpoint.write(path, {**description, **changes}, arrays)
        with pytest.raises(LoadError, match=match) as caught:
            Sequential.load(path)
        assert str(caught.value).startswith(f"{path}: ")

    def test_arrays(self, model: Sequential, path: Path) -> None:
        wrong = np.zeros((4, 2))
        self.load(model, path, r"'1.weight' is \(4, 2\) float64 .* \(4, 3\) float64", arrays={"1.weight": wrong})
        single = np.zeros((4, 3), np.float32)
        self.load(model, path, r"'1.weight' is \(4, 3\) float32 .* \(4, 3\) float64", arrays={"1.weight": single})
        self.load(model, path, "'1.bias' is None", arrays={"1.bias": None})
        self.load(model, path, "'9.bias' is .* its layer has None", arrays={"9.bias": np.zeros(1)})
        self.load(model, path, "adamw: the saved state does not fit", arrays={"optimizer/mean/1.bias": None})
        self.load(model, path, "adamw: the saved state does not fit", arrays={"optimizer/iterations": None})

    def test_layers(self, model: Sequential, path: Path) -> None:
        unknown = [{"layer": "tally_from_elsewhere", "config": {}}]
        self.load(model, path, "no layer named 'tally_from_elsewhere'.*Install the package", layers=unknown)
        odd: list[Any] = [
            [{"layer": "dense", "config": {"units": -1}}],
            [{"layer": "dense", "config": {"unit": 1}}],
            [{"layer": "dense"}],
            [{"layer": 3, "config": {}}],
            [7],
            7,
            [],
        ]
        for layers in odd:
            self.load(model, path, "the model cannot be rebuilt", layers=layers)

    def test_other_entries(self, model: Sequential, path: Path) -> None:
        self.load(model, path, "already built for 3 features", input_size=4)
        self.load(model, path, "dtype must be float32 or float64", dtype="int8")
        self.load(model, path, "cannot be rebuilt", dtype="nothing")
        for training in (3, {}, {"optimizer": {"name": "adamw", "config": {"rate": 1}}, "loss": {}, "metrics": []}):
            self.load(model, path, "cannot be rebuilt", training=training)

    def test_huge_layer(self, model: Sequential, path: Path) -> None:
        """Nothing is made that is larger than the arrays of the file, be it one layer, many, or a loss."""
        tall = [{"layer": "dense", "config": {"units": units}} for units in (10**15, 10**7)]
        many = [{"layer": "dense", "config": {"units": 100}}] * 50
        for layers in (tall[:1], tall[1:], many):
            self.load(model, path, "cannot be rebuilt: .* allowed here", layers=layers)
        crf = {"optimizer": {"name": "sgd", "config": {}}, "loss": {"name": "crf", "config": {"tags": 5000}}}
        self.load(model, path, "cannot be rebuilt: crf: .* allowed here", training=crf | {"metrics": []})


class TestWriting:
    def test_over_the_file_it_came_from(self, model: Sequential, path: Path) -> None:
        model.save(path)
        first = path.read_bytes()
        for _ in range(3):
            Sequential.load(path).save(path)
            assert path.read_bytes() == first

    @pytest.mark.parametrize("call", ["fsync", "replace", "open"])
    def test_a_failing_write_leaves_the_old_file(
        self, model: Sequential, path: Path, call: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model.save(path)
        before = path.read_bytes()
        model.fit(X, Y)

        def full(*arguments: Any, **options: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, call, full)
        with pytest.raises(OSError, match="No space left"):
            model.save(path)
        monkeypatch.undo()
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_an_interrupted_write_leaves_the_old_file(
        self, model: Sequential, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_bytes(b"old")

        def interrupt(descriptor: int) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(os, "fsync", interrupt)
        with pytest.raises(KeyboardInterrupt):
            model.save(path)
        assert path.read_bytes() == b"old"
        assert list(path.parent.iterdir()) == [path]

    def test_file_and_folder_are_on_the_disk_in_this_order(
        self, model: Sequential, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = []
        fsync, replace = os.fsync, os.replace

        def recorded_fsync(descriptor: int) -> None:
            calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
            fsync(descriptor)

        def recorded_replace(source: Any, target: Any) -> None:
            calls.append("replace")
            assert os.path.dirname(source) == os.path.dirname(target)
            replace(source, target)

        monkeypatch.setattr(os, "fsync", recorded_fsync)
        monkeypatch.setattr(os, "replace", recorded_replace)
        model.save(path)
        assert calls == ["file", "replace", "folder"]

    def test_permissions(self, model: Sequential, path: Path) -> None:
        old = os.umask(0o027)
        try:
            model.save(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            path.chmod(0o604)
            model.save(path)
            assert stat.S_IMODE(path.stat().st_mode) == 0o604
        finally:
            os.umask(old)

    def test_a_link_stays_a_link(self, model: Sequential, path: Path) -> None:
        target = path.parent / "elsewhere"
        target.mkdir()
        (target / "real").write_bytes(b"old")
        path.symlink_to(target / "real")
        model.save(path)
        assert path.is_symlink()
        assert Sequential.load(target / "real").built
        assert list(target.iterdir()) == [target / "real"]


def test_what_is_no_file_is_written_to_and_stays(tmp_path: Path) -> None:
    """As /dev/null, which a renamed file would take the place of."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    try:
        checkpoint.replace(pipe, b"model")
        assert os.read(end, 9) == b"model"
    finally:
        os.close(end)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]
