"""The inner loops of the products keep their sums in registers: nothing is spilled to the stack.

A tile that spills computes the same numbers at half the speed, so no other test would notice.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from seqkit.build import FLAGS, ISAS, X86

CORE = Path(__file__).parent.parent / "seqkit" / "_core"
COMPILER = (sysconfig.get_config_var("CC") or "cc").split()
MULTIPLY_ADD = re.compile(r"\s(v?fmadd|vfmadd|vdpbf16ps|vpdpbusd|mulp[sd])")
SPILL = re.compile(r"\(%r[sb]p\).*%[xyz]mm|%[xyz]mm.*\(%r[sb]p\)")
KERNELS = re.compile(r"(tile|line)_\d_\d_\w+_(f32|f64|bf16_native|i8_native)")

pytestmark = pytest.mark.skipif(
    not X86 or shutil.which(COMPILER[0]) is None, reason="needs a compiler and an x86-64 processor"
)


def assembly(isa: str, folder: Path, sources: Path = CORE, flags: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Lines of every product kernel, by its name."""
    target = folder / f"{isa}.s"
    options = [*FLAGS, "-fPIC", "-DSK_X86=1", *ISAS[isa], *flags]
    subprocess.run([*COMPILER, *options, "-S", str(sources / f"kernels_{isa}.c"), "-o", str(target)], check=True)
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in target.read_text().splitlines():
        if match := re.match(r"([A-Za-z_]\w*):", line):
            lines = found.setdefault(match[1], [])
        lines.append(line)
    return {name: lines for name, lines in found.items() if KERNELS.fullmatch(name)}


def inner_loops(lines: list[str]) -> list[list[str]]:
    """Bodies of the loops that multiply and have no loop inside."""
    labels = {line.split(":")[0]: number for number, line in enumerate(lines) if line.startswith(".L")}
    jumps = [
        (labels.get(m[1], number), number)
        for number, line in enumerate(lines)
        if (m := re.match(r"\s+j\w+\s+(\.L\w+)", line))
    ]
    loops = [(begin, end) for begin, end in jumps if begin < end]
    inner = [
        (begin, end)
        for begin, end in loops
        if not any((begin, end) != other and begin <= other[0] and other[1] <= end for other in loops)
    ]
    bodies = [lines[begin:end] for begin, end in inner]
    return [body for body in bodies if any(MULTIPLY_ADD.search(line) for line in body)]


def spills(kernels: dict[str, list[str]]) -> set[str]:
    """Kernels whose inner loops move vectors to or from the stack."""
    return {
        name
        for name, lines in kernels.items()
        if any(SPILL.search(line) for body in inner_loops(lines) for line in body)
    }


@pytest.mark.parametrize("isa", ISAS)
def test_no_spills(isa: str, tmp_path: Path) -> None:
    kernels = assembly(isa, tmp_path)
    assert len(kernels) >= 30
    assert all(inner_loops(lines) for lines in kernels.values())
    assert spills(kernels) == set()


def test_too_high_a_tile_is_noticed(tmp_path: Path) -> None:
    """Eight rows by four vectors are 32 sums: no register is left for the operands."""
    for path in CORE.glob("*.[ch]"):
        shutil.copy(path, tmp_path)
    kernels = tmp_path / "products.inc.c"
    text = kernels.read_text()
    assert text.count("TILES(6)") == 1
    kernels.write_text(text.replace("TILES(6)", "TILES(6) TILE(4, 8)"))
    found = assembly("avx512", tmp_path, tmp_path, ("-fkeep-static-functions",))
    assert "tile_4_8_avx512_f32" in spills(found)
