"""ONNX LSTM, GRU and RNN nodes beside ONNX Runtime, on hundreds of random models, and the node tests of ONNX itself."""

from __future__ import annotations

import unittest
import warnings
from typing import Any

import numpy as np
import pytest
from onnx_nodes import GATES, TOLERANCE, Case, coverage, draws, error

from seqkit.interop.onnx.graph_model import GraphModel
from seqkit.interop.onnx.messages import decode, encode
from seqkit.interop.onnx.recurrent_form import FUNCTIONS

pytestmark = pytest.mark.peers
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

MODELS = 120
assert MODELS * len(GATES) >= 300


def run_theirs(case: Case, file: bytes) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return dict(zip(case.names, session.run(None, fed(case)), strict=True))


def fed(case: Case) -> dict[str, np.ndarray]:
    return {name: array for name, array in case.arrays.items() if name not in case.constants}


def with_initial_states_of_empty_sequences(case: Case, theirs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """ONNX Runtime's final states; those of empty sequences, which it sets to 0, as docs/dialects.md has them."""
    if case.lengths is None:
        return theirs
    found = {name: array.copy() for name, array in theirs.items()}
    for name, initial in (("Y_h", "initial_h"), ("Y_c", "initial_c")):
        if name in found:
            assert not found[name][:, case.lengths == 0].any()
            if initial in case.arrays:
                found[name][:, case.lengths == 0] = case.arrays[initial][:, case.lengths == 0]
    return found


@pytest.mark.parametrize("operator", GATES)
def test_random_models(operator: str) -> None:
    compared = 0
    for case in draws(operator, MODELS, runtime=True, seed=3):
        file = encode(case.model())
        ours = GraphModel(decode(file)).run(fed(case))
        theirs = with_initial_states_of_empty_sequences(case, run_theirs(case, file))
        assert error(ours, theirs) < TOLERANCE["float32"], case.node
        assert error(ours, case.expected()) < TOLERANCE["float32"], case.node
        compared += 1
    assert compared == MODELS


def test_random_models_are_of_all_kinds() -> None:
    for operator in GATES:
        seen = coverage(draws(operator, MODELS, runtime=True, seed=3))
        kinds = {*FUNCTIONS, "default", "clip", "activation_alpha", "activation_beta", "B", "initial_h", "empty", "fed"}
        kinds |= {f"direction={direction}" for direction in ("forward", "reverse", "bidirectional")} | {"Y", "Y_h"}
        own = {"LSTM": ["input_forget=1", "input_forget=0", "P", "initial_c", "Y_c"], "GRU": ["linear_before_reset=1"]}
        assert not [kind for kind in kinds.union(own.get(operator, [])) if seen[kind] < 3]


# ---- the node tests of ONNX -----------------------------------------------------------------------


def node_tests() -> unittest.TestSuite:
    """Those whose names begin with those of the operators; 18 with onnx 1.23, 12 before."""
    np.random.seed(0)  # some data are drawn when the cases are imported
    from onnx.backend.base import Backend, BackendRep
    from onnx.backend.test import BackendTest

    class Rep(BackendRep):
        def __init__(self, model: Any) -> None:
            self.model = GraphModel(decode(model.SerializeToString()))

        def run(self, inputs: Any, **options: Any) -> tuple[np.ndarray, ...]:
            names = [value.name for value in self.model.inputs]
            return tuple(self.model.run(dict(zip(names, inputs, strict=True))).values())

    class Seqkit(Backend):
        @classmethod
        def prepare(cls, model: Any, device: str = "CPU", **options: Any) -> Rep:
            super().prepare(model, device, **options)  # ONNX' checker
            return Rep(model)

        @classmethod
        def supports_device(cls, device: str) -> bool:
            return device == "CPU"

    tests = BackendTest(Seqkit, __name__)
    tests.include(r"^test_(lstm|gru|rnn|simple_rnn)_")
    suite = unittest.TestSuite()
    for case in tests.test_cases.values():
        suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(case))
    return suite


def test_node_tests_of_onnx() -> None:
    result = unittest.TestResult()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node_tests().run(result)
    assert not result.failures
    assert not result.errors
    version = tuple(map(int, onnx.__version__.split(".")[:2]))
    assert result.testsRun - len(result.skipped) == (18 if version >= (1, 23) else 12)
