"""``seqkit convert`` in a process of its own, and what it leaves behind when something is wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from safetensors.numpy import save_file

import seqkit
from seqkit.errors import CheckError, ConfigError, ConvertError
from seqkit.interop import formats, rtneural
from seqkit.interop.convert import _written, convert
from seqkit.interop.proof import prove

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(seqkit.__file__).parents[1])}
X = np.random.default_rng(0).normal(size=(3, 9, 2))


@pytest.fixture
def model() -> seqkit.Sequential:
    layers = [seqkit.LSTM(5, return_sequences=True, input_shape=(None, 2)), seqkit.GRU(4, return_sequences=True)]
    return seqkit.Sequential([*layers, seqkit.Dense(3, "tanh")], seed=0)


@pytest.fixture
def source(model: seqkit.Sequential, tmp_path: Path) -> Path:
    path = tmp_path / "source.safetensors"
    model.save(path)
    return path


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "seqkit", "convert", *arguments]
    return subprocess.run(program, capture_output=True, text=True, env=ENVIRONMENT, cwd=folder, timeout=60)


class TestCommand:
    def test_there_and_back(self, source: Path, model: seqkit.Sequential) -> None:
        there = command(source.parent, source.name, "there.json")
        assert (there.returncode, there.stderr) == (0, "")
        assert there.stdout.splitlines()[1].split() == ["lstm", "5", "160"]
        assert "RTNeural's equations in float64" in there.stdout
        back = command(source.parent, "there.json", "back.safetensors", "--json", "--seed", "3")
        assert (back.returncode, back.stderr) == (0, "")
        facts = json.loads(back.stdout)
        assert (facts["source"], facts["out"]) == ("there.json", "back.safetensors")
        assert [layer["layer"] for layer in facts["model"]] == ["lstm", "gru", "dense"]
        read, written = facts["proofs"]
        assert (read["format"], read["compared_with"]) == ("RTNeural model", "RTNeural's equations in float64")
        assert (read["inputs"], read["holds"]) == (16, True)
        assert 0 < read["outputs"][0]["error"] < 2e-6
        assert (written["compared_with"], written["outputs"][0]["error"]) == ("the file, read again", 0)
        np.testing.assert_array_equal(seqkit.load(source.parent / "back.safetensors").predict(X), model.predict(X))

    def test_proof_that_does_not_hold(self, source: Path) -> None:
        out = source.parent / "out.json"
        out.write_text("what was here before")
        result = command(source.parent, source.name, out.name, "--tolerance", "0", "--json")
        assert result.returncode == 1
        facts = json.loads(result.stdout)
        assert (facts["out"], facts["model"], [proof["holds"] for proof in facts["proofs"]]) == (None, None, [False])
        assert "not the same model: output 'y' differs from that of the same model in float64 by" in result.stderr
        assert out.read_text() == "what was here before"
        assert sorted(path.name for path in source.parent.iterdir()) == ["out.json", source.name]
        plain = command(source.parent, source.name, out.name, "--tolerance", "0")
        assert plain.returncode == 1
        assert "the same model in float64" in plain.stdout

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["source.safetensors"], 2, "Missing argument 'OUT'"),
            (["source.safetensors", "out.txt"], 1, "no format is written with the ending '.txt'"),
            (["source.safetensors", "no/out.json"], 1, "cannot be written"),
            (["nothing", "out.json"], 1, "nothing: cannot be read (No such file"),
            (["source.safetensors", "source.safetensors"], 1, "this is the file that is read"),
            (["source.safetensors", "out.json", "--from", "tensorflow"], 2, "there is no format 'tensorflow'"),
            (["source.safetensors", "out.json", "--opset", "17"], 1, "there is no opset to choose in this format"),
            (["source.safetensors", "out.json", "--prefix", "a."], 1, "there is no prefix to choose in this format"),
            (["empty", "out.json"], 1, "empty: not a model file that is known here"),
            (["peephole.safetensors", "out.json"], 1, "layer 0 (peephole): RTNeural has no such layer"),
        ],
    )
    def test_errors(self, source: Path, arguments: list[str], code: int, message: str) -> None:
        (source.parent / "empty").touch()
        layer = seqkit.PeepholeLSTM(3, return_sequences=True, input_shape=(None, 2))
        seqkit.Sequential([layer]).save(source.parent / "peephole.safetensors")
        before = sorted(source.parent.iterdir())
        result = command(source.parent, *arguments)
        assert (result.returncode, "Traceback" in result.stderr) == (code, False)
        assert message in result.stderr
        assert sorted(source.parent.iterdir()) == before

    def test_without_proof(self, source: Path) -> None:
        result = command(source.parent, source.name, "out.json", "--no-proof", "--tolerance", "0", "--json")
        assert json.loads(result.stdout)["proofs"] == []


class TestWriting:
    def test_what_is_wrong_is_not_written(
        self, source: Path, model: seqkit.Sequential, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A writer that exchanges two rows is found out before its file takes the place of another one."""
        right = rtneural.to_rtneural

        def wrong(model: seqkit.Sequential, path: Any) -> None:
            model.params["1.bias_hn"] = model.params["1.bias_hn"] + np.float32(1e-4)
            right(model, path)
            model.params["1.bias_hn"] = model.params["1.bias_hn"] - np.float32(1e-4)

        monkeypatch.setattr(rtneural, "to_rtneural", wrong)
        out = source.parent / "out.json"
        out.write_text("what was here before")
        told: list[tuple[str, str, bool]] = []
        with pytest.raises(CheckError, match=r"out\.json: not the same model"):
            convert(source, out, told=lambda file, title, proof: told.append((file, title, proof.holds)))
        assert told == [(str(source), "seqkit model", True), (str(out), "RTNeural model", False)]
        assert out.read_text() == "what was here before"
        assert len(list(source.parent.iterdir())) == 2

    def test_damage_on_the_way_is_found(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        other = seqkit.Sequential([seqkit.Dense(3, input_shape=(None, 2))], seed=5)
        monkeypatch.setattr("seqkit.interop.native.save", lambda model, path: other.save(path))
        with pytest.raises(CheckError, match="the file, read again"):
            convert(source, source.parent / "out.safetensors")

    def test_a_source_without_lengths(self, model: seqkit.Sequential, tmp_path: Path) -> None:
        """What is written is not asked for more than what was read takes."""
        path = tmp_path / "amplifier.json"
        formats.save(model, path)
        for name in ("out.safetensors", "out.onnx"):
            convert(path, tmp_path / name)
        imported = formats.read(path)
        seen: list[set[str]] = []
        watched = replace(imported, run=lambda inputs: seen.append(set(inputs)) or imported.run(inputs))
        assert prove(_written(watched, tmp_path / "out.safetensors")).error == 0
        assert seen == [{"x"}] * 16

    def test_permissions_and_links_are_kept(self, source: Path) -> None:
        target, link = source.parent / "target.json", source.parent / "link.json"
        target.write_text("old")
        target.chmod(0o640)
        link.symlink_to(target.name)
        convert(source, link)
        assert link.is_symlink()
        assert stat.S_IMODE(target.stat().st_mode) == 0o640
        assert "in_shape" in json.loads(target.read_text())

    def test_the_same_file_by_another_name(self, source: Path) -> None:
        link = source.parent / "link.safetensors"
        link.symlink_to(source.name)
        with pytest.raises(ConfigError, match="this is the file that is read"):
            convert(source, link)


class TestOtherFormats:
    """Chains from one format to the next, in the program; each link proves itself."""

    def test_onnx_and_back(self, source: Path, model: seqkit.Sequential) -> None:
        folder, lengths = source.parent, np.array([9, 0, 4])
        convert(source, folder / "m.onnx", writing={"opset": 18})
        graph = convert(folder / "m.onnx", folder / "graph.safetensors")
        convert(folder / "graph.safetensors", folder / "again.onnx")
        expected = model.predict(X, lengths=lengths)
        x = X.astype(np.float32)
        for one in (graph, *(seqkit.interop.load(folder / name) for name in ("graph.safetensors", "again.onnx"))):
            assert one.model.opsets[""] == 18
            np.testing.assert_allclose(one.run({"x": x, "lengths": lengths})["y"], expected, rtol=0, atol=2e-6)

    def test_mapping_file(self, source: Path) -> None:
        folder, rng = source.parent, np.random.default_rng(1)
        shapes = {"weight_ih_l0": (9, 2), "weight_hh_l0": (9, 3), "bias_ih_l0": (9,), "bias_hh_l0": (9,)}
        state = {f"body.{name}": rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        state |= {"head.weight": rng.normal(size=(1, 3)).astype(np.float32), "head.bias": np.zeros(1, np.float32)}
        save_file(state, folder / "state.pt")
        kinds = {"body": "gru", "head": "linear"}
        text = "".join(f'[[layers]]\nkind = "{kind}"\nprefix = "{name}"\n' for name, kind in kinds.items())
        (folder / "map.toml").write_text(text)
        alone = command(folder, "state.pt", "out.json", "--json")
        assert alone.returncode == 1
        assert "describe the whole model in a mapping" in alone.stderr
        whole = command(folder, "state.pt", "out.json", "--mapping", "map.toml", "--json")
        assert whole.returncode == 0, whole.stderr
        facts = json.loads(whole.stdout)
        assert [layer["layer"] for layer in facts["model"]] == ["gru", "dense"]
        body = command(folder, "state.pt", "body.safetensors", "--prefix", "body", "--json")
        assert [layer["layer"] for layer in json.loads(body.stdout)["model"]] == ["gru"]


PAGES = [Path(__file__).parent.parent / name for name in ("README.md", "docs/interop.md")]
COMMANDS = [line for page in PAGES for line in re.findall(r"^(?:\$ )?seqkit convert ([^#\n]+)", page.read_text(), re.M)]


@pytest.mark.parametrize("arguments", sorted({line.strip() for line in COMMANDS if "SOURCE" not in line}))
def test_what_the_pages_show_runs(arguments: str, model: seqkit.Sequential, run: Callable[..., Result]) -> None:
    """Every command of the README and of the page on other libraries, on a small file of the name it has there."""
    name, _, *options = arguments.split()
    if name.endswith(".keras"):
        shutil.copy(Path(__file__).parent / "vectors" / "keras" / "sentiment.keras", name)
    elif name.endswith(".pt"):
        shapes = {"weight_ih_l0": (9, 2), "weight_hh_l0": (9, 3), "bias_ih_l0": (9,), "bias_hh_l0": (9,)}
        rng = np.random.default_rng(1)
        state = {key: rng.normal(size=shape).astype(np.float32) for key, shape in shapes.items()}
        prefix = options[options.index("--prefix") + 1] + "." if "--prefix" in options else ""
        save_file({prefix + key: array for key, array in state.items()}, name)
    else:
        seqkit.interop.save(model, name)
    run("convert", *arguments.split())


class TestFormats:
    def test_options_are_of_the_format(self, source: Path) -> None:
        with pytest.raises(ConfigError, match=r"source\.safetensors \(seqkit model\): there is no mapping"):
            formats.load(source, mapping="m.toml")
        with pytest.raises(ConfigError, match="there is no format 'tf'"):
            formats.load(source, format="tf")

    def test_not_a_model(self, tmp_path: Path) -> None:
        with pytest.raises(ConvertError, match="str is not a model"):
            formats.save("model", tmp_path / "m.safetensors")
        with pytest.raises(ConvertError, match="only models made of layers"):
            formats.save("model", tmp_path / "m.json")

    @pytest.mark.parametrize(
        ("head", "name"),
        [
            (b'\x40\x00\x00\x00\x00\x00\x00\x00{"__metadata__":{"seqkit":"', "native"),
            (b'\x40\x00\x00\x00\x00\x00\x00\x00{"__metadata__":{"format":"pt"', "torch"),
            (b'\x08\x00\x00\x00\x00\x00\x00\x00{"w":{', "torch"),
            (b"PK\x03\x04" + bytes(22) + b"\x0d\x00\x00\x00archive/data.pkl", "torch"),
            (b"PK\x03\x04" + bytes(22) + b"\x0d\x00\x00\x00metadata.json", "keras"),
            (b"\x80\x02}q\x00", "torch"),
            (b"\x89HDF\r\n\x1a\n\x00", "keras"),
            (b" \n{", "rtneural"),
            (b"\x08\x07\x12\x07pytorch", "onnx"),
            (b"\x3a\x85\x01\x0a", "onnx"),
        ],
    )
    def test_first_bytes(self, tmp_path: Path, head: bytes, name: str) -> None:
        path = tmp_path / "model"
        path.write_bytes(head)
        assert formats.find(path).name == name
