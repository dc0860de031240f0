"""The compiled core: is it there, of these sources, and does it use what the processor has?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from seqkit.doctor.finding import Finding, broken, ok, remark
from seqkit.errors import words

CORE = Path(__file__).parent.parent / "_core"
REBUILD = "build it again: pip install --force-reinstall . in a clone, or pip install -e . to work in it"
SOURCES = "these are sources that are not built: start Python in another folder, or pip install -e . here"


def compiled() -> Iterator[Finding]:
    """The compiled modules can be imported and are not older than their sources."""
    try:
        import_module("seqkit._core")
    except Exception as error:
        built = REBUILD if any(CORE.glob("*.so")) or any(CORE.glob("*.pyd")) else SOURCES
        variables = [f"unset {name}" for name in ("SEQKIT_ISA", "SEQKIT_POINTWISE") if os.environ.get(name)]
        yield broken(f"the compiled core cannot be imported: {words(error)}", ", or ".join([*variables, built]))
        return
    old = outdated(CORE)
    if old:
        yield remark(f"compiled modules are older than their sources: {', '.join(old)}", "pip install -e . again")
    yield ok("the compiled core can be imported", folder=str(CORE))


def outdated(folder: Path) -> list[str]:
    """Compiled modules whose sources have been changed since, in a checkout."""
    built = {path.name.partition(".")[0]: path for path in folder.glob("*.so")}
    sources = {path.stem: path for path in folder.glob("*.pyx")}
    return sorted(
        name for name, path in sources.items() if name in built and path.stat().st_mtime > built[name].stat().st_mtime
    )


def instruction_sets() -> Iterator[Finding]:
    """Which one runs, and why."""
    from seqkit import _core

    found = list(_core.supported_isas())
    facts = {"running": _core.isa, "supported": found}
    if _core.isa != found[0]:
        text = f"{_core.isa} runs although this processor has {found[0]}: SEQKIT_ISA={os.environ.get('SEQKIT_ISA')}"
        yield remark(text, "unset SEQKIT_ISA, unless it is a test", **facts)
    else:
        yield ok(f"{_core.isa} runs, the best of {', '.join(found)} for this processor", **facts)


def kernels() -> Iterator[Finding]:
    """The pointwise parts of the usual cells are compiled."""
    from seqkit import registry

    for name in ("lstm", "gru"):
        layer: Any = registry.create(name, 8).build(4)
        plan = layer.plan((2, 3, 4), training=True)
        facts = {"cell": name, "pointwise": plan.pointwise, "why": plan.kernels}
        if plan.pointwise == "compiled":
            yield ok(f"{name}: compiled kernels run", **facts)
        else:
            advice = "unset SEQKIT_POINTWISE" if os.environ.get("SEQKIT_POINTWISE") else REBUILD
            yield remark(f"{name} is interpreted, to the same bits and slower: {plan.kernels}", advice, **facts)
