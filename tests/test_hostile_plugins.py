"""Packages that go wrong in every way that metadata and an import can: what is wrong is listed, and nobody else
notices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from packages import CELL, Site

import seqkit
from seqkit import available, catalog, discovery, registry
from seqkit.errors import PluginError, SeqkitError, UnknownLayerError

# What the module of a package called "hostile" says, what its entry point "bad" leads to, and what the list says of it.
AT_IMPORT = {
    "an exception": ("1 / 0", "hostile:Bad", "ZeroDivisionError: division by zero. Update or uninstall hostile."),
    "an exit": ("import sys; sys.exit(3)", "hostile:Bad", "SystemExit: 3"),
    "an exception of its own kind": ("class Own(BaseException): pass\nraise Own('x')", "hostile:Bad", "Own: x"),
    "an exception that has no text": (
        "class Own(Exception):\n    def __str__(self): raise self\nraise Own",
        "hostile:Bad",
        r"Own: \(it has no message\)",
    ),
    "an exception of many lines": ("raise ValueError('a\\n' * 10**6)", "hostile:Bad", "ValueError: a a a a [a ]*. Upd"),
    "an import that is not there": ("import nothing_of_this_name", "hostile:Bad", "No module named 'nothing_of_this"),
    "a syntax error": ("def", "hostile:Bad", "SyntaxError"),
    "no end": ("def f(): f()\nf()", "hostile:Bad", "RecursionError"),
    "no memory": ("bytearray(10**18)", "hostile:Bad", "MemoryError"),
    "a creation of itself": ("import seqkit; seqkit.create('bad', 3)", "hostile:Bad", "partially initialized module"),
    "a module that is replaced": (
        f"import sys, types; sys.modules['seqkit.registry'] = types.ModuleType('fake')\n{CELL}",
        "hostile:MGU",
        "its import replaces the modules seqkit.registry",
    ),
    "modules that are removed": (
        f"{CELL}\nimport sys; del sys.modules['numpy'], sys.modules['seqkit.layer']",
        "hostile:MGU",
        "its import replaces the modules numpy, seqkit.layer|its import replaces the modules seqkit.layer, numpy",
    ),
    "no such class": (CELL, "hostile:Other", "AttributeError: module 'hostile' has no attribute 'Other'"),
    "no such module": (CELL, "hostile_elsewhere:MGU", "ModuleNotFoundError"),
    "no class": ("Bad = 3", "hostile:Bad", "it is not a seqkit.Cell or seqkit.Layer class"),
    "another class": ("class Bad: pass", "hostile:Bad", "it is not a seqkit.Cell or seqkit.Layer class"),
    "an instance": (f"{CELL}\nbad = MGU()", "hostile:bad", "it is not a seqkit.Cell or seqkit.Layer class"),
    "seqkit's base class": ("from seqkit import Cell", "hostile:Cell", "it is a class of seqkit itself"),
    "seqkit's LSTM": ("from seqkit import LSTM", "hostile:LSTM", "it is a class of seqkit itself"),
    "a version to come": (
        f"{CELL}    api_version = 2",
        "hostile:MGU",
        "version 2 of .* has version 1; update seqkit",
    ),
    "a version long gone": (f"{CELL}    api_version = 0", "hostile:MGU", "version 0 of the .*; update hostile"),
    "a version of letters": (f"{CELL}    api_version = 'x'", "hostile:MGU", "version 'x' of the .*; update seqkit"),
    "no step": (
        "import seqkit\nclass Bad(seqkit.Cell): gates, states = ('n',), ('h',)",
        "hostile:Bad",
        r"it does not define step\(self, x, U, s, p\)",
    ),
    "no backward pass": (
        "import seqkit\nclass Bad(seqkit.Layer):\n    def forward(self, *a, **k): ...",
        "hostile:Bad",
        "it does not define backward",
    ),
    "a constructor that raises": (
        f"{CELL}    def __init__(self, **options): raise RuntimeError('not today')",
        "hostile:MGU",
        "cannot be made: RuntimeError: not today",
    ),
    "a constructor that exits": (
        f"{CELL}    def __init__(self, **options): raise SystemExit",
        "hostile:MGU",
        "cannot be made: SystemExit",
    ),
    "no gates and no states": (
        "import seqkit\nclass Bad(seqkit.Cell):\n    def step(self, x, U, s, p): ...",
        "hostile:Bad",
        "cannot be made: AttributeError: 'Bad' object has no attribute 'states'",
    ),
    "a name that raises": (
        f"{CELL}    @property\n    def name(self): raise RuntimeError",
        "hostile:MGU",
        "the class calls itself <property object",
    ),
    "a class that raises": (
        f"class Meta(type):\n    @property\n    def api_version(self): raise RuntimeError('me?')\n{CELL}"
        "class Bad(MGU, metaclass=Meta): pass",
        "hostile:Bad",
        "cannot be imported: RuntimeError: me",
    ),
    "another name": (f"import seqkit\n{CELL}\nseqkit.register('other')(MGU)", "hostile:MGU", "calls itself 'other'"),
    "a built-in name": (f"import seqkit\n{CELL}\nseqkit.register('lstm')(MGU)", "hostile:MGU", "'lstm' is built in"),
}

# Lines of the entry points, and what the list says of the layer called so.
ENTRY_POINTS = {
    "no class": ("bad = hostile", "bad", "its entry point must read module:Class"),
    "no module": ("bad = :MGU", "bad", "its entry point must read module:Class"),
    "two classes": ("bad = hostile:MGU, hostile:MGU", "bad", "its entry point must read module:Class"),
    "a command": ("bad = hostile:MGU()", "bad", "its entry point must read module:Class"),
    "a path": ("bad = ../hostile.py:MGU", "bad", "its entry point must read module:Class"),
    "an empty name": ("= hostile:MGU", "hostile:", "its name must be an identifier"),
    "words": ("my cell = hostile:MGU", "hostile:my cell", "its name must be an identifier"),
    "a look-alike": ("l\u0455tm = hostile:MGU", "hostile:l\u0455tm", "its name must be an identifier"),
    "a qualified name": ("other:mgu = hostile:MGU", "hostile:other:mgu", "its name must be an identifier"),
    "the same name twice": ("bad = hostile:MGU\nbad = hostile:Other", "hostile:bad", "more than one class"),
}


@pytest.fixture
def others(install: Site) -> Callable[[], None]:
    """A package without fault beside the hostile one, and a check that it, seqkit and the process are as ever."""
    install("whole", CELL, good="whole:MGU")
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    expected = seqkit.LSTM(4).build(3, seed=1)(x)
    before = (sys.stdout, sys.stderr, warnings.showwarning, list(warnings.filters))
    modules = {name: module for name, module in sys.modules.items() if name.startswith(("seqkit", "numpy"))}

    def check() -> None:
        assert before == (sys.stdout, sys.stderr, warnings.showwarning, list(warnings.filters))
        assert all(sys.modules[name] is module for name, module in modules.items())
        np.testing.assert_array_equal(seqkit.create("lstm", 4).build(3, seed=1)(x), expected)
        assert seqkit.create("good", 4).build(3, seed=1)(x).shape == (2, 4)
        broken = {entry.name for entry in catalog.entries() if entry.error and entry.package != "hostile"}
        assert not broken
        assert {"good", "whole:good", *registry.BUILT_IN} >= {
            entry.name for entry in catalog.entries() if entry.package != "hostile"
        }
        with pytest.raises(UnknownLayerError, match="no layer named 'nothing'"):
            seqkit.create("nothing", 3)

    return check


def entry_of(name: str) -> catalog.Entry:
    """What the list says of a name; it is made twice, the second time to find it unchanged."""
    found, again = ([entry for entry in catalog.entries() if entry.name == name] for _ in range(2))
    assert [entry.package for entry in found] == [entry.package for entry in again]
    return found[0]


@pytest.mark.parametrize("fault", AT_IMPORT)
def test_a_module_that_goes_wrong(install: Site, others: Callable[[], None], fault: str) -> None:
    source, target, message = AT_IMPORT[fault]
    install("hostile", source, bad=target)
    others()
    entry = entry_of("bad")
    with pytest.raises(SeqkitError, match=message) as caught:
        seqkit.create("bad", 4)
    assert str(caught.value).startswith(f"layer 'bad' of hostile 1.0 ({target}) cannot be ")
    with pytest.raises(PluginError, match=message):
        raise PluginError(entry.error)
    assert len(str(entry.error)) < 1000
    others()


@pytest.mark.parametrize("fault", ENTRY_POINTS)
def test_entry_points_that_go_wrong(install: Site, others: Callable[[], None], fault: str) -> None:
    text, name, message = ENTRY_POINTS[fault]
    install("hostile", CELL, text=text)
    assert message in str(entry_of(name).error)
    assert name not in registry.names()
    with pytest.raises(SeqkitError):
        registry.get(name)
    others()


# ---- metadata ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[seqkit.layers]\nbad = hostile:MGU\n\xff\xfe", "UnicodeDecodeError"),
        (b"[seqkit.layers]\nbad hostile:MGU\n", "TypeError"),
    ],
)
def test_entry_points_that_cannot_be_read(
    install: Site, others: Callable[[], None], content: bytes, problem: str
) -> None:
    (install("hostile", CELL) / "entry_points.txt").write_bytes(content)
    install.reread()
    (told,) = discovery.installed().problems
    assert "hostile-1.0.dist-info: entry points cannot be read" in told
    assert problem in told
    others()


def test_a_package_without_metadata(install: Site, others: Callable[[], None]) -> None:
    info = install("hostile", CELL, bad="hostile:MGU")
    (info / "METADATA").unlink()
    install.reread()
    assert seqkit.create("hostile:bad", 3).name == "bad"
    assert entry_of("bad").version == "1.0"
    others()


def test_a_package_without_a_version(install: Site, others: Callable[[], None]) -> None:
    info = install("hostile", CELL, bad="hostile:MGU")
    info.rename(info.with_name("hostile.dist-info"))
    install.reread()
    assert entry_of("bad").error is None
    (info.with_name("hostile.dist-info") / "METADATA").unlink()
    install.reread()
    assert (entry_of("bad").version, entry_of("bad").error) == ("", None)
    others()


def test_the_first_package_of_a_name_on_the_path_counts(
    install: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("twice", CELL, "2.0", new="twice:MGU")
    elsewhere = Site(tmp_path / "elsewhere")
    elsewhere("Twice", "1 / 0", "1.0", old="twice:MGU")
    monkeypatch.setattr(sys, "path", [*sys.path, str(elsewhere.folder)])
    install.reread()
    assert [(offer.qualified, offer.version) for offer in discovery.installed().offers] == [("twice:new", "2.0")]


def test_a_package_that_calls_itself_seqkit(install: Site, others: Callable[[], None]) -> None:
    install("seqkit", "1 / 0", lstm="seqkit.no_such:LSTM", bad="hostile:Bad")
    assert not discovery.installed().offers[1:]
    others()


# ---- several packages ----------------------------------------------------------------------------


def test_packages_that_create_each_other(install: Site, others: Callable[[], None]) -> None:
    install("hostile", f"import seqkit; seqkit.create('next', 3)\n{CELL}", bad="hostile:MGU")
    install("hostile-too", f"import seqkit; seqkit.create('bad', 3)\n{CELL}", next="hostile_too:MGU")
    with pytest.raises(PluginError, match=r"layer 'bad' of hostile 1.0 .* layer 'next' of hostile-too 1.0"):
        seqkit.create("bad", 3)
    with pytest.raises(PluginError, match=r"layer 'next' of hostile-too 1.0 .* layer 'bad' of hostile 1.0"):
        seqkit.create("next", 3)


def test_what_a_package_registers_takes_no_name_from_others(install: Site, others: Callable[[], None]) -> None:
    source = f"import seqkit\n{CELL}\nclass Other(MGU): pass\nseqkit.register('good')(Other)"
    install("hostile", source, bad="hostile:MGU")
    good = registry.get("good")
    assert seqkit.create("bad", 3).cell.gates == ("f", "n")
    others()
    assert registry.get("good") is good
    assert registry.get("hostile:good") is sys.modules["hostile"].Other
    assert entry_of("hostile:good").remark == "'good' alone could also be that of whole 1.0"
    install.reread()
    assert [offer.qualified for offer in discovery.find("good")] == ["whole:good"]


def test_an_entry_point_without_a_class_claims_no_name(install: Site, others: Callable[[], None]) -> None:
    install("hostile", CELL, good="hostile")
    others()
    assert "must read module:Class" in str(entry_of("hostile:good").error)


def test_a_class_with_two_names(install: Site, others: Callable[[], None]) -> None:
    install("hostile", CELL, first="hostile:MGU", second="hostile:MGU")
    assert seqkit.create("first", 3).name == "first"
    assert "the class calls itself 'first'" in str(entry_of("second").error)
    others()


# ---- what an import does beside ------------------------------------------------------------------


def test_what_an_import_prints_and_sets_stays_out_of_results(install: Site, capsys: pytest.CaptureFixture[str]) -> None:
    source = f"import warnings\nprint('welcome')\nwarnings.simplefilter('ignore')\nwarnings.showwarning = None\n{CELL}"
    install("hostile", source, bad="hostile:MGU")
    before = list(warnings.filters), warnings.showwarning
    seqkit.create("bad", 3)
    assert capsys.readouterr() == ("", "welcome\n")
    assert before == (list(warnings.filters), warnings.showwarning)


def test_ctrl_c_while_a_package_is_imported(install: Site, others: Callable[[], None]) -> None:
    install("hostile", "raise KeyboardInterrupt", bad="hostile:Bad")
    install("hostile-too", f"{CELL}\n    def __init__(self): raise KeyboardInterrupt", slow="hostile_too:MGU")
    for call in (lambda: seqkit.create("bad", 3), lambda: seqkit.create("slow", 3), catalog.entries):
        with pytest.raises(KeyboardInterrupt):
            call()


def test_a_slow_import_is_remarked_on(
    install: Site, others: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("hostile", CELL, bad="hostile:MGU")
    entry_of("bad")
    (offer,) = discovery.find("bad")
    assert offer.seconds > 0
    offer.seconds = 3.25
    assert entry_of("bad").remark == "its import took 3.2 s"


def test_all_at_once_in_a_process_of_its_own(install: Site) -> None:
    """Every package of the tables above beside a good one, listed by the command."""
    for number, (source, target, _) in enumerate(AT_IMPORT.values()):
        package = f"hostile_{number}"
        install(package, f"print('out'){chr(10)}{source}", **{f"bad_{number}": target.replace("hostile", package)})
    for number, (text, _, _) in enumerate(ENTRY_POINTS.values()):
        install(f"odd-{number}", CELL, text=text)
    install("whole", CELL, good="whole:MGU")
    environment = os.environ | {"PYTHONPATH": f"{install.folder}{os.pathsep}{Path(seqkit.__file__).parents[1]}"}
    command = [sys.executable, "-P", "-c", "from seqkit.cli import main; main(['plugins', 'list', '--json'])"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert len(listed) == len(AT_IMPORT) + len(ENTRY_POINTS) + 2  # one name twice; the good one
    assert [entry["name"] for entry in listed if not entry["error"]] == ["good"]


# ---- more than there is --------------------------------------------------------------------------

HUGE = """
import seqkit
from seqkit.equations import tanh, vector

class MGU(seqkit.Cell):
    '''A unit with a weight of its own and a billion of its kind.'''
    gates, states = ("n",), ("h",)

    def parameters(self):
        return {"u": vector()}

    def step(self, x, U, s, p):
        return {"h": tanh(x.n + p.u * s.h)}

class Wide(seqkit.Recurrent):
    '''It has more units than it was asked for.'''
    def __init__(self, units, **options):
        super().__init__(MGU, 10**9 * units, **options)
"""

BUILD = """
import re, resource, seqkit
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
for units in (10**9, 10**12, 10**18):
    for make in (lambda: seqkit.create("huge", units), lambda: seqkit.create("wide", units // 10**9)):
        try:
            make().build(1)
        except MemoryError as error:
            assert str(error)
        else:
            raise AssertionError(units)
assert seqkit.create("good", 3).build(2)([[[1.0, 2.0]]]).shape == (1, 3)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])  # ru_maxrss knows the parent's, too
"""


def test_more_units_than_there_is_memory(install: Site) -> None:
    install("hostile", HUGE, huge="hostile:MGU", wide="hostile:Wide")
    install("whole", CELL, good="whole:MGU")
    environment = os.environ | {"PYTHONPATH": f"{install.folder}{os.pathsep}{Path(seqkit.__file__).parents[1]}"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", BUILD], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 2**20  # KiB


def test_memory_that_is_not_to_be_had_is_not_taken(
    install: Site, others: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("hostile", HUGE, huge="hostile:MGU")
    with monkeypatch.context() as patch:
        patch.setattr(available, "SMALL", 0)
        patch.setattr(available, "available", lambda: 24 * 1000.0)
        assert seqkit.create("huge", 1000).build(1, seed=0).params["weight_ih"].shape == (1000, 1)
        with pytest.raises(MemoryError, match=r"huge: weight_ih: initial values of shape \(1001, 1\) take 0.0 GiB"):
            seqkit.create("huge", 1001).build(1)
        patch.setattr(available, "available", iter([1e6, 1e6, 10.0]).__next__)
        with pytest.raises(MemoryError, match=r"huge: u: initial values of shape \(1000,\) take"):
            seqkit.create("huge", 1000, use_bias=False).build(1)
    others()


def test_what_the_system_says_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("meminfo", "max"):
        monkeypatch.setattr(available, "MEMINFO", tmp_path / "meminfo")
        monkeypatch.setattr(available, "GROUP_LIMITS", (tmp_path / "max", tmp_path / "none"))
        assert available.available() == (float("inf") if name == "meminfo" else 2000 * 1024)
        (tmp_path / name).write_text({"meminfo": "MemTotal: 9000 kB\nMemAvailable:   2000 kB\n", "max": "max\n"}[name])
    assert available.available() == 2000 * 1024
    (tmp_path / "max").write_text("1000\n")
    assert available.available() == 1000
