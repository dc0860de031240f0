"""Data sets: the catalogue, downloads that are whole and right or leave nothing, the command."""

from __future__ import annotations

import gc
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.io import wavfile

from seqkit import datasets
from seqkit.cli import main
from seqkit.data.ts_file import read_ts
from seqkit.datasets import Source, download, store
from seqkit.datasets.catalog import CATALOG
from seqkit.errors import ConfigError, DataError

SHARED = Path(os.environ.get("SEQKIT_DATA", Path(__file__).parents[2] / "shared" / "data"))
pooch = pytest.importorskip("pooch", reason="pooch is not installed")


def sha(*files: tuple[str, bytes]) -> str:
    """What the catalogue has for these files, by hand."""
    sums = [hashlib.sha256(content).hexdigest() for _, content in files]
    if len(sums) == 1:
        return sums[0]
    return hashlib.sha256(
        "".join(f"{s}  {name}\n" for s, (name, _) in zip(sums, files, strict=True)).encode()
    ).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives what it is told to give, and counts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.missing_bytes = 0
        self.silent: threading.Event | None = None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        content = server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if server.silent is not None:
            server.silent.wait(3)
            return
        self.wfile.write(content[: len(content) - server.missing_bytes])

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        if running.silent is not None:
            running.silent.set()
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SEQKIT_DATA", raising=False)
    monkeypatch.delenv("SEQKIT_OFFLINE", raising=False)
    monkeypatch.setenv("SEQKIT_CACHE", str(tmp_path / "cache"))
    yield
    with warnings.catch_warnings():  # pooch leaves it to the garbage collector to close what failed
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


TABLE = b"month,passengers\n1,112\n2,118\n3,132\n"


def offer(server: Server, monkeypatch: pytest.MonkeyPatch, content: bytes = TABLE) -> datasets.Entry:
    """The airline data set, with other content, as the server gives it."""
    server.content["/Airline.csv"] = content
    source = Source(server.url("/Airline.csv"), sha(("Airline.csv", TABLE)), ("Airline.csv",))
    entry = replace(CATALOG["airline"], sources=(source,))
    monkeypatch.setitem(CATALOG, "airline", entry)
    return entry


def leftovers(tmp_path: Path) -> list[str]:
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())


def test_downloaded_once_and_read(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)
    assert datasets.find("airline") is None
    assert datasets.load("airline").values.tolist() == [112, 118, 132]
    assert datasets.load("Airline").values.tolist() == [112, 118, 132]  # capitals or not
    assert server.asked == ["/Airline.csv"]
    assert leftovers(tmp_path) == ["cache/Airline/Airline.csv"]


def test_a_damaged_copy_is_downloaded_again(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)
    file = datasets.fetch("airline") / "Airline.csv"
    file.write_bytes(TABLE[:-2])
    assert datasets.find("airline") is None
    assert datasets.load("airline").values[-1] == 132
    assert len(server.asked) == 2


def test_local_copies_come_first(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)
    (tmp_path / "own" / "Airline").mkdir(parents=True)
    monkeypatch.setenv("SEQKIT_DATA", str(tmp_path / "own"))
    file = tmp_path / "own" / "Airline" / "Airline.csv"
    file.write_bytes(TABLE)
    assert datasets.fetch("airline") == file.parent
    file.write_bytes(TABLE + b"4,1\n")
    with pytest.raises(DataError, match="are not the known ones"):
        datasets.load("airline")
    assert server.asked == []
    file.unlink()  # an incomplete copy is none
    datasets.load("airline")
    assert server.asked == ["/Airline.csv"]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_archives_are_taken_apart(kind: str, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = b"@problemName P\n@classLabel true a b\n@data\n1,2:a\n3,4:b\n"
    files = [("GunPoint_TEST.ts", text), ("GunPoint_TRAIN.ts", text.replace(b"1", b"7"))]
    packed = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in [*files, ("../other.txt", b"not wanted")]:
                archive.writestr(f"inner/{name}", content)
    else:
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, content in [*files, ("../other.txt", b"not wanted")]:
                member = tarfile.TarInfo(f"inner/{name}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    server.content[f"/all.{kind}"] = packed.getvalue()
    source = Source(server.url(f"/all.{kind}"), sha(*files), tuple(name for name, _ in files), "inner")
    monkeypatch.setitem(CATALOG, "GunPoint", replace(CATALOG["GunPoint"], sources=(source,)))
    data = datasets.load("GunPoint")
    assert [row.ravel().tolist() for row in data.train.x] == [[7, 2], [3, 4]]
    assert data.test.labels == ("a", "b")
    assert leftovers(tmp_path) == ["cache/GunPoint/GunPoint_TEST.ts", "cache/GunPoint/GunPoint_TRAIN.ts"]
    # an archive without one of the files
    lacking = replace(source, files=(*source.files, "more.ts"))
    entry = replace(CATALOG["GunPoint"], sources=(lacking,), folder="again")
    with pytest.raises(DataError, match=r"holds no file inner/more\.ts"):
        store.fetch(entry)
    # one that is no archive at all
    server.content[f"/all.{kind}"] = b"<html>sign in first</html>"
    with pytest.raises(DataError, match="gave no usable file"):
        store.fetch(replace(CATALOG["GunPoint"], folder="third"))
    assert len(leftovers(tmp_path)) == 2
    (tmp_path / "cache" / "GunPoint" / "GunPoint_TEST.ts").unlink()  # half of it is none of it
    assert datasets.find("GunPoint") is None


def test_members_are_not_larger_than_they_may_be(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Airline.csv", bytes(100_000))
    server.content["/a.zip"] = packed.getvalue()
    monkeypatch.setattr(download, "LARGEST", 50_000)
    source = Source(server.url("/a.zip"), "0", ("Airline.csv",))
    with pytest.raises(DataError, match="larger than 50000 bytes"):
        store.fetch(replace(CATALOG["airline"], sources=(source,)))


def test_what_is_wrong_is_not_kept(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch, TABLE.replace(b"118", b"119"))
    with pytest.raises(DataError, match="SHA-256 differs"):
        datasets.load("airline")
    server.content.clear()
    with pytest.raises(DataError, match=r"404 .*set SEQKIT_DATA to the folder that holds Airline"):
        datasets.load("airline")
    server.content["/Airline.csv"] = TABLE
    server.missing_bytes = 5
    asked = len(server.asked)
    with pytest.raises(DataError, match="gave no usable file"):
        datasets.load("airline")
    assert len(server.asked) == asked + 2  # it is tried twice
    assert leftovers(tmp_path) == []


def test_a_silent_server_is_left(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)
    server.silent = threading.Event()
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with pytest.raises(DataError, match="Read timed out"):
        datasets.load("airline")
    assert leftovers(tmp_path) == []


def test_no_server(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    entry = offer(server, monkeypatch)
    source = replace(entry.sources[0], url="http://127.0.0.1:9/Airline.csv")  # the port that discards
    with pytest.raises(DataError, match="ConnectionError"):
        store.fetch(replace(entry, sources=(source,)))
    monkeypatch.setenv("SEQKIT_OFFLINE", "1")
    with pytest.raises(DataError, match="SEQKIT_OFFLINE forbids"):
        datasets.fetch("airline")
    assert server.asked == []


def test_a_folder_that_cannot_be_written(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)

    def refused(self: Path, *arguments: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    with monkeypatch.context() as patch:  # the tests may run as root, whom no permission stops
        patch.setattr(Path, "mkdir", refused)
        with pytest.raises(DataError, match=r"cannot be written; set SEQKIT_CACHE"):
            datasets.load("airline")
    if os.geteuid():
        (tmp_path / "cache").mkdir(mode=0o500)
        with pytest.raises(DataError, match=r"cannot be written; set SEQKIT_CACHE"):
            datasets.load("airline")
    # what is there already needs no permission
    folder = tmp_path / "cache" / "Airline"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Airline.csv").write_bytes(TABLE)
    folder.chmod(0o500)
    assert datasets.load("airline").values[0] == 112
    folder.chmod(0o700)


def test_two_processes_at_once(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)
    program = (
        "import sys; from dataclasses import replace; from seqkit import datasets\n"
        "from seqkit.datasets.catalog import CATALOG\n"
        f"source = datasets.Source({server.url('/Airline.csv')!r}, {sha(('', TABLE))!r}, ('Airline.csv',))\n"
        "CATALOG['airline'] = replace(CATALOG['airline'], sources=(source,))\n"
        "print(datasets.load('airline').values.tolist())"
    )
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0].strip() for process in both] == ["[112.0, 118.0, 132.0]"] * 2
    assert leftovers(tmp_path) == ["cache/Airline/Airline.csv"]


def test_without_pooch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ConfigError, match=r"pip install 'seqkit\[datasets\]'"):
        datasets.load("jsb")
    assert len(datasets.load("sunspots").values) == 309
    assert datasets.find("jsb") is None


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="there is no data set 'mnist'; there are JapaneseVowels"):
        datasets.load("mnist")


def test_command(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offer(server, monkeypatch)

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["datasets", *arguments])
        assert result.exit_code == code, result.output
        return result.stdout

    assert [line.split()[0] for line in run().splitlines()[1:]] == list(datasets.names())
    shown = json.loads(run("show", "airline", "--json"))
    assert shown["folder"] is None
    assert shown["licence"] == "public"
    assert run("fetch", "AIRLINE").strip() == str(tmp_path / "cache" / "Airline")
    shown = json.loads(run("show", "airline", "--json"))
    assert (shown["bytes"], shown["as_known"]) == (len(TABLE), True)
    assert "here" in next(line for line in run("list").splitlines() if line.startswith("airline"))
    run("show", "nothing", code=2)
    server.content.clear()
    (tmp_path / "cache" / "Airline" / "Airline.csv").unlink()
    run("fetch", "airline", code=1)


def test_fit_and_predict_take_names(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []
    monkeypatch.setattr(pooch.get_logger(), "info", lambda text, *values: told.append(text % values))
    rng = np.random.default_rng(0)
    lines = [",".join(f"{v:.3f}" for v in rng.normal(size=5) + 3 * (n % 2)) + f":{'ab'[n % 2]}" for n in range(12)]
    content = ("@classLabel true a b\n@data\n" + "\n".join(lines)).encode()
    files = [("GunPoint_TEST.ts", content + b"\n" + lines[0].encode()), ("GunPoint_TRAIN.ts", content)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files:
            archive.writestr(name, text)
    server.content["/g.zip"] = packed.getvalue()
    source = Source(server.url("/g.zip"), sha(*files), tuple(name for name, _ in files))
    monkeypatch.setitem(CATALOG, "GunPoint", replace(CATALOG["GunPoint"], sources=(source,)))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["fit", "gunpoint", "--epochs", "1", "--units", "2", "--out", "m.safetensors"])
    assert result.exit_code == 0, result.output
    assert "training on 12 sequences, testing on 13 of" in result.output
    assert told[0].startswith("GunPoint: licence: free for research")
    result = CliRunner().invoke(main, ["predict", "m.safetensors", "GunPoint", "--json"])
    assert len(json.loads(result.stdout)) == 13  # the test set
    result = CliRunner().invoke(main, ["fit", "nab"])
    assert (result.exit_code, "anomaly detection" in result.stderr) == (1, True)
    result = CliRunner().invoke(main, ["fit", "gunpiont"])
    assert (result.exit_code, "no data set of this name" in result.stderr) == (1, True)


@pytest.mark.parametrize("name", [name for name in CATALOG if name != "sunspots"])
def test_local_copies_are_the_known_ones(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (SHARED / CATALOG[name].folder).exists():
        pytest.skip("the data is not here; set SEQKIT_DATA")
    monkeypatch.setenv("SEQKIT_DATA", str(SHARED))
    folder, data = datasets.fetch(name), datasets.load(name)
    if CATALOG[name].fits and name != "airline":
        train, test = (read_ts(folder / f"{name}_{part}.ts") for part in ("TRAIN", "TEST"))
        assert (data.train.labels, data.test.labels) == (train.labels, test.labels)
        assert (len(train), len(test)) == {
            "JapaneseVowels": (270, 370),
            "BasicMotions": (40, 40),
            "ItalyPowerDemand": (67, 1029),
            "GunPoint": (50, 150),
        }[name]


def shared(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, object]:
    if not (SHARED / CATALOG[name].folder).exists():
        pytest.skip("the data is not here; set SEQKIT_DATA")
    monkeypatch.setenv("SEQKIT_DATA", str(SHARED))
    return datasets.fetch(name), datasets.load(name)


def test_spoken_digits_are_what_scipy_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data = shared("fsdd", monkeypatch)
    assert (len(data.train), len(data.test)) == (1350, 150)
    for part in (data.train, data.test):
        for row in (0, 77, len(part) - 1):
            rate, signal = wavfile.read(folder / f"{part.ids[row]}.wav")
            assert rate == 8000
            assert np.array_equal(part.x[row][:, 0], signal / 32768)
            assert part.labels[row] == part.ids[row][0]
    assert {int(name.split("_")[2]) for name in data.test.ids} == {0, 1, 2, 3, 4}


def test_chorales_text_and_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    folder, data = shared("jsb", monkeypatch)
    pieces = json.loads((folder / "jsb-chorales-quarter.json").read_text())
    for part, name in ((data.train, "train"), (data.validation, "valid"), (data.test, "test")):
        sounding = [[(np.flatnonzero(frame) + 21).tolist() for frame in x] for x in part.x]
        assert sounding == [[sorted(set(frame)) for frame in piece] for piece in pieces[name]]
    _, text = shared("tinyshakespeare", monkeypatch)
    assert (len(text.train), len(text.test)) == (1_003_854, 111_540)
    folder, series = shared("nab", monkeypatch)
    labelled = json.loads((folder / "combined_windows.json").read_text())
    assert len(series) == 11
    for one in series:
        known = labelled[next(key for key in labelled if key.endswith(f"/{one.name}.csv") and "artificial" in key)]
        found = [[one.series.index[start], one.series.index[stop - 1]] for start, stop in one.windows]
        assert found == [[time.removesuffix(".000000") for time in window] for window in known]
        assert one.anomalous.sum() == sum(stop - start for start, stop in one.windows)
