"""seqkit against numbers that PyTorch and ONNX Runtime computed; see ``vectors/README.md``.

float64 agrees to 1e-12 and float32 to 2e-6, measured as ``peer_check.py`` tells.
"""

from pathlib import Path

import pytest
from peer_cases import load
from peer_check import TOLERANCE, check, check_sequential
from vectors.make_vectors import FROZEN

VECTORS = Path(__file__).parent / "vectors"
CASES = {f"{peer}-{name}": spec for peer, specs in FROZEN.items() for name, spec in specs.items()}

ran: set[tuple[str, str]] = set()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_vector(name: str, dtype: str) -> None:
    case = load(VECTORS / f"{name}.npz")
    assert case.spec == CASES[name]
    ran.add((name, dtype))
    check(case, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", [name for name, spec in CASES.items() if not spec.initial])
def test_sequential(name: str, dtype: str) -> None:
    check_sequential(load(VECTORS / f"{name}.npz"), dtype)


def test_no_fewer_cases_ran_than_are_listed() -> None:
    assert len(CASES) == 40
    assert {path.stem for path in VECTORS.glob("*.npz")} == set(CASES)
    assert ran == {(name, dtype) for name in CASES for dtype in TOLERANCE}
