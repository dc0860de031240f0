"""``seqkit doctor``: what is well is said to be, and planted faults are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seqkit
from seqkit import _core, available, doctor
from seqkit._core.threads import VARIABLES
from seqkit.doctor import core, package, results, speed, surroundings, threads
from seqkit.doctor.finding import Finding, ok
from seqkit.errors import BuildError

HOME = str(Path(seqkit.__file__).parents[1])


def run_with(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a new process, with no other settings of seqkit than these."""
    command = [sys.executable, "-P", "-m", "seqkit", "doctor", *arguments]
    others = {name: value for name, value in os.environ.items() if not name.startswith("SEQKIT_")}
    return subprocess.run(command, env=others | {"PYTHONPATH": HOME} | environment, capture_output=True, text=True)


def findings_of(done: subprocess.CompletedProcess[str], status: str) -> list[dict[str, Any]]:
    """Findings of a status in a JSON document."""
    return [finding for finding in json.loads(done.stdout)["findings"] if finding["status"] == status]


def statuses(check: Any) -> list[str]:
    return [finding.status for finding in check()]


def test_a_good_installation_works(run: Any) -> None:
    document = json.loads(run("doctor", "--json").stdout)
    assert document["schema"] == "seqkit.doctor/1"
    assert document["works"]
    assert {finding["check"] for finding in document["findings"]} == set(doctor.CHECKS)
    said = {finding["check"]: finding["text"] for finding in document["findings"]}
    assert said["package.versions"].startswith(f"seqkit {seqkit.__version__} with numpy {np.__version__}")
    assert "gru: outputs within" in said["results.cells"]


def test_what_people_read(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", ("package.versions", "core.compiled", "threads.own"))
    monkeypatch.setattr(core, "outdated", lambda folder: [])  # of a checkout in the middle of work, nothing is asked
    with seqkit.threads(1000):
        good, _, slow, advice = run("doctor").stdout.splitlines()
        assert run("doctor", "--quiet").stdout.splitlines() == [slow, advice]
    assert good.startswith("ok      seqkit")
    assert slow.startswith("remark  1000 threads (")
    assert advice.strip().startswith("set SEQKIT_NUM_THREADS=")
    monkeypatch.setenv("TMPDIR", "/nowhere")
    monkeypatch.setattr(doctor, "CHECKS", ("surroundings.files",))
    monkeypatch.setattr(surroundings.tempfile, "tempdir", "/nowhere")
    assert run("doctor", code=1).stdout.startswith("BROKEN  /nowhere: ")


# planted faults, in a real process


def test_an_instruction_set_that_is_not_there() -> None:
    done = run_with("--json", SEQKIT_ISA="sse9")
    assert (done.returncode, done.stderr) == (1, "")
    (fault,) = findings_of(done, "broken")
    assert fault["check"] == "core.compiled"
    assert "SEQKIT_ISA='sse9' cannot be used" in fault["text"]
    assert "unset SEQKIT_ISA" in fault["advice"]
    made = {finding["check"] for finding in json.loads(done.stdout)["findings"]}
    assert made == set(doctor.WITHOUT_CORE)


def test_remarks_do_not_fail() -> None:
    done = run_with(
        "--json", OMP_NUM_THREADS="64", SEQKIT_ISA="base", SEQKIT_POINTWISE="interpreted", SEQKIT_DATA="/no/such"
    )
    remarks = {finding["check"]: finding for finding in findings_of(done, "remark")}
    assert (done.returncode, findings_of(done, "broken")) == (0, [])
    assert "64 threads (OMP_NUM_THREADS=64)" in remarks["threads.own"]["text"]
    assert remarks["threads.own"]["advice"].startswith("set SEQKIT_NUM_THREADS=")
    assert remarks["core.kernels"]["facts"]["pointwise"] == "interpreted"
    assert "'/no/such'" in remarks["surroundings.files"]["text"]
    assert ("core.instruction_sets" in remarks) == (_core.supported_isas()[0] != "base")


def test_no_place_for_temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(surroundings.tempfile, "tempdir", str(tmp_path / "gone"))
    (finding,) = surroundings.files()
    assert finding.status == "broken"
    assert str(tmp_path / "gone") in finding.text


# planted faults, check by check


def test_wrong_results_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert statuses(results.cells) == ["ok", "ok"]
    forward = seqkit.GRU.forward

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        y, cache = forward(self, *arguments, **options)
        return y + np.float32(1e-3), cache

    monkeypatch.setattr(seqkit.GRU, "forward", wrong)
    assert statuses(results.cells) == ["ok", "broken"]
    assert [finding.facts["cell"] for finding in results.cells()] == ["lstm", "gru"]


def test_wrong_gradients_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = seqkit.LSTM.backward

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        found = backward(self, *arguments, **options)
        self.grads["weight_hh"][...] *= 1.5
        return found

    monkeypatch.setattr(seqkit.LSTM, "backward", wrong)
    lstm, gru = results.cells()
    assert (lstm.status, gru.status) == ("broken", "ok")
    assert "gradients differ from the equations" in lstm.text


def test_a_broken_plugin(install: Any) -> None:
    install("broken-layers", "raise RuntimeError('no luck')", broken="broken_layers:Cell")
    faults = [finding for finding in package.plugins() if finding.status == "broken"]
    assert len(faults) == 1
    assert "layer 'broken' of broken-layers does not work" in faults[0].text
    assert "SEQKIT_PLUGINS=-broken-layers" in faults[0].advice


def test_a_core_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise BuildError("the ABI is another one")

    monkeypatch.setattr(core, "import_module", missing)
    (finding,) = core.compiled()
    assert (finding.status, finding.text) == (
        "broken",
        "the compiled core cannot be imported: BuildError: the ABI is another one",
    )
    assert "build it again" in finding.advice


def test_sources_in_the_way_of_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(core, "import_module", lambda name: 1 / 0)
    monkeypatch.setattr(core, "CORE", tmp_path)
    (finding,) = core.compiled()
    assert "start Python in another folder" in finding.advice


def test_a_core_older_than_its_sources(tmp_path: Path) -> None:
    for number, name in enumerate(["new.pyx", "new.cpython-311.so", "old.cpython-311.so", "old.pyx", "alone.so"]):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (number, number))
    assert core.outdated(tmp_path) == ["old"]


def test_a_needed_package_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "NEEDED", ("numpy", "no_such_package"))
    monkeypatch.setattr(package, "CODE", "9.9")
    monkeypatch.setattr(package, "installed", lambda name: "1.0")
    remark, fault, fine = package.versions()
    assert "the code is seqkit 9.9, but the installed package says 1.0" in remark.text
    assert "no_such_package cannot be imported: ModuleNotFoundError" in fault.text
    assert [remark.status, fault.status, fine.status] == ["remark", "broken", "ok"]


@pytest.mark.parametrize(
    ("room", "count", "status"),
    [(2.0, 2, "ok"), (1.5, 2, "ok"), (2.0, 3, "remark"), (0.5, 2, "remark"), (4.0, 2, "remark")],
)
def test_threads_and_processors(monkeypatch: pytest.MonkeyPatch, room: float, count: int, status: str) -> None:
    monkeypatch.setattr(threads, "processors", lambda: room)
    with seqkit.threads(count):
        assert statuses(threads.own) == [status]


@pytest.mark.parametrize(
    ("text", "heard"), [("3", True), (" 3,2", True), ("many", False), ("0", False), ("2.5", False)]
)
def test_variables_that_are_no_number_of_threads(monkeypatch: pytest.MonkeyPatch, text: str, heard: bool) -> None:
    monkeypatch.setattr(threads, "processors", lambda: 3.0)
    for name in VARIABLES:
        monkeypatch.setenv(name, "3")
    monkeypatch.setenv("SEQKIT_NUM_THREADS", text)
    with seqkit.threads(3):
        *remarks, last = threads.own()
    assert [one.text for one in remarks] == [
        f"SEQKIT_NUM_THREADS={text!r} is no number of threads and is not heard"
    ] * (not heard)
    assert last.facts["source"] == (f"SEQKIT_NUM_THREADS={text}" if heard else "OMP_NUM_THREADS=3")


def test_the_quota_of_a_control_group(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    for text, expected in {"150000 100000": 1.5, "max 100000": np.inf, "nonsense": np.inf, "1 0": np.inf}.items():
        (tmp_path / "cpu.max").write_text(text)
        assert threads.quota() == expected
    (tmp_path / "cpu.max").unlink()
    for name, text in {"cpu.cfs_quota_us": "50000", "cpu.cfs_period_us": "100000"}.items():
        (tmp_path / name).write_text(f"{text}\n")
    monkeypatch.setattr(threads, "OLD_QUOTA", (tmp_path / "cpu.cfs_quota_us", tmp_path / "cpu.cfs_period_us"))
    assert threads.quota() == 0.5
    assert threads.processors() == 0.5


def test_pools_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pools:
        @staticmethod
        def threadpool_info() -> list[dict[str, Any]]:
            return [{"num_threads": 64, "internal_api": "openblas", "filepath": "/lib/libopenblas.so"}]

    monkeypatch.setattr(threads, "import_module", lambda name: Pools)
    monkeypatch.setattr(threads, "processors", lambda: 2.0)
    (finding,) = threads.others()
    assert (finding.status, finding.advice) == ("remark", "set OPENBLAS_NUM_THREADS=2")


def test_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "gigahertz", lambda: 2.0)
    promised = 2 * 2 * _core.lanes("float32") * 2.0
    for share, status in {0.39: "remark", 0.41: "ok"}.items():
        monkeypatch.setattr(_core, "fma_peak", lambda precision, count, share=share: share * promised)
        assert statuses(speed.multiply_adds) == [status]
    for ratio, status in {1.3: "remark", 1.5: "ok"}.items():
        monkeypatch.setattr(_core, "fma_peak", lambda precision, count, ratio=ratio: (1.0, ratio)[count - 1])
        with seqkit.threads(2):
            assert statuses(speed.scaling) == [status]


def test_clocks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(speed, "CPUINFO", tmp_path / "cpuinfo")
    assert speed.gigahertz() is None
    (tmp_path / "cpuinfo").write_text("cpu MHz\t\t: 800.0\nmodel name\t: x\ncpu MHz\t\t: 2600.5\n")
    assert speed.gigahertz() == pytest.approx(2.6005)


def test_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for nbytes, status in {2**28: "remark", 2**30: "ok", float("inf"): "ok"}.items():
        monkeypatch.setattr(surroundings, "available", lambda nbytes=nbytes: nbytes)
        assert statuses(surroundings.memory) == [status]
    assert available.available() > 0


def test_text_that_is_not_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings.locale, "getpreferredencoding", lambda setting: "ANSI_X3.4-1968")
    (finding,) = surroundings.text()
    assert (finding.status, finding.advice) == ("remark", "set LC_ALL=C.UTF-8")


def test_a_check_that_fails_is_a_finding() -> None:
    def check() -> Any:
        yield ok("so far")
        raise ZeroDivisionError("oh")

    assert list(doctor.guarded("some.check", check)) == [
        Finding("ok", "so far", check="some.check"),
        Finding(
            "broken",
            "the check itself failed: ZeroDivisionError: oh",
            "report this, with the whole output",
            check="some.check",
        ),
    ]


def test_missing_optional_packages_are_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "installed", lambda name: None)
    first, *others = package.optional()
    assert first.text == "optional packages: none"
    assert {finding.status for finding in others} == {"ok"}
    assert "pip install 'seqkit[plot]'" in others[0].text
