"""The ABI number stands for the layout of structures and the bits of operations.

Kernels of other packages were compiled with the headers of some seqkit.  Those of another SK_ABI are refused; so it
must change when a structure or an operation does, and need not when an operation is added.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from seqkit import _core

CORE = Path(__file__).parent.parent / "seqkit" / "_core"
OPERATION = re.compile(r"^OPERATION\((\w+), (.+)\)$", flags=re.MULTILINE)

# By SK_ABI: digest of the structures, and of everything else that compiled kernels include, operations excepted.
STRUCTURES = {1: "8d076027f0417385"}
FUNCTIONS = {1: "87f25be6395992b6"}
OPERATIONS: dict[int, dict[str, str]] = {
    1: {
        "copy": "x",
        "neg": "-x",
        "abs": "FN(vabs)(x)",
        "sqrt": "FN(vsqrt)(x)",
        "exp": "FN(vexp)(x)",
        "log": "FN(vlog)(x)",
        "softplus": "FN(vsoftplus)(x)",
        "sigmoid": "FN(vsigmoid)(x)",
        "tanh": "FN(vtanh)(x)",
        "relu": "GREATER((vec){}, x)",
        "add": "x + y",
        "sub": "x - y",
        "mul": "x * y",
        "div": "x / y",
        "maximum": "FN(vmax)(x, y)",
        "minimum": "FN(vmin)(x, y)",
        "greater": "FN(select)(x > y, FN(splat)(1), (vec){})",
        "greater_equal": "FN(select)(x >= y, FN(splat)(1), (vec){})",
        "sigmoid_grad": "x * (y * (1 - y))",
        "tanh_grad": "x * FMA(-y, y, FN(splat)(1))",
        "relu_grad": "FN(select)(y > 0, x, (vec){})",
        "where": "FN(select)(x != 0, y, w)",
        "muladd": "FMA(x, y, w)",
        "mulsub": "FMA(x, y, -w)",
        "negmuladd": "FMA(-x, y, w)",
        "floor": "FN(vfloor)(x)",
        "mul_sigmoid_grad": "(x * y) * (w * (1 - w))",
        "mul_tanh_grad": "(x * y) * FMA(-w, w, FN(splat)(1))",
    },
}
ADVICE = "raise SK_ABI in seqkit/_core/pointwise.h, and add an entry for it to this file"


def code(text: str) -> str:
    """C without comments, in which white space says nothing."""
    return " ".join(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).split())


def digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(map(code, texts)).encode()).hexdigest()[:16]


def source(name: str) -> str:
    if not CORE.exists():
        pytest.skip("the sources are missing")
    return (CORE / name).read_text()


def structures(text: str) -> str:
    """Digest of the header but for the number itself."""
    return digest(re.sub(r"#define SK_ABI \d+", "", text))


def operations(text: str) -> dict[str, str]:
    return dict(OPERATION.findall(text))


def functions(vectors: str, both: str, around: str) -> str:
    """Digest of the elementary functions, their constants, and where operands lie."""
    return digest(vectors, both, OPERATION.sub("", around))


def test_structures_are_those_of_the_number() -> None:
    assert structures(source("pointwise.h")) == STRUCTURES[_core.ABI], ADVICE


def test_functions_are_those_of_the_number() -> None:
    found = functions(*map(source, ("vector.inc.c", "kernels_both.inc.c", "operations.inc.c")))
    assert found == FUNCTIONS[_core.ABI], f"{ADVICE}; if not a bit has changed, change the digest alone"


def test_operations_are_those_of_the_number() -> None:
    found = operations(source("operations.inc.c"))
    assert len(found) >= 25
    assert {name: found.get(name) for name in OPERATIONS[_core.ABI]} == OPERATIONS[_core.ABI], ADVICE


def test_the_header_says_the_number() -> None:
    assert f"#define SK_ABI {_core.ABI}\n" in source("pointwise.h")


@pytest.mark.parametrize(
    ("before", "after"), [("panel, row, block;", "row, panel, block;"), ("int32_t operation", "int64_t operation")]
)
def test_another_layout_is_noticed(before: str, after: str) -> None:
    text = source("pointwise.h")
    assert before in text
    assert structures(text.replace(before, after)) != structures(text)


def test_comments_and_the_number_say_nothing() -> None:
    text = source("pointwise.h")
    other = text.replace("/* slots */", "/* five\n slots */").replace(f"SK_ABI {_core.ABI}", "SK_ABI 77")
    assert other != text
    assert structures(other) == structures(text)


def test_another_operation_is_noticed_and_a_new_one_is_not() -> None:
    text = source("operations.inc.c")
    assert operations(text.replace("OPERATION(mul, x * y)", "OPERATION(mul, y * x + 0)")) != operations(text)
    more = text.replace("OPERATION(mul, x * y)", "OPERATION(mul, x * y)\nOPERATION(cube, x * x * x)")
    assert operations(more).items() > operations(text).items()
    rest = source("vector.inc.c"), source("kernels_both.inc.c")
    assert functions(*rest, more) == functions(*rest, text)
