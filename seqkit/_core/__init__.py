"""The compiled core: products, pointwise interpreter, time loops, threads.

Read ``kernels.h`` first (what a kernel is), then ``engine.pyx`` (what a call does).
"""

try:
    from seqkit._core.beam import beam_search
except ModuleNotFoundError as _error:  # as where Python was started in a clone, whose sources hide what is installed
    raise ModuleNotFoundError(
        f"{_error}: {__path__[0]} is not compiled. Start Python in another folder if seqkit is installed, "
        "or compile these sources with `pip install -e .`.",
        name=_error.name,
    ) from _error
from seqkit._core.calls import LIMITS, OPERANDS, SLOTS, Batch, Call, Program
from seqkit._core.crf import crf, viterbi
from seqkit._core.ctc import ctc
from seqkit._core.dropping import drop
from seqkit._core.engine import pipeline_pays, plan, run
from seqkit._core.freed import keep_freed_memory
from seqkit._core.gather import gather_padded, scatter_add
from seqkit._core.input_gradient import input_gradient
from seqkit._core.kernel_tables import ABI, POINTWISE, KernelTable
from seqkit._core.machine import (
    OPERATIONS,
    REDUCTIONS,
    Arena,
    fma_peak,
    instruction,
    isa,
    lanes,
    openmp,
    read_bandwidth,
    supported_isas,
    tile,
)
from seqkit._core.noise import Noise, draw
from seqkit._core.normalizing import normalize, normalize_back, normalize_rows
from seqkit._core.packing import Packing, Weights
from seqkit._core.products import Product, add_column_sums, matmul
from seqkit._core.streams import Stepper, rows_of_streams
from seqkit._core.threads import num_threads, set_num_threads, threads
from seqkit._core.updates import RULES, Update, first_non_finite
from seqkit._core.weights import add_weight_gradients

__all__ = [
    "ABI",
    "LIMITS",
    "OPERANDS",
    "OPERATIONS",
    "POINTWISE",
    "REDUCTIONS",
    "RULES",
    "SLOTS",
    "Arena",
    "Batch",
    "Call",
    "KernelTable",
    "Noise",
    "Packing",
    "Product",
    "Program",
    "Stepper",
    "Update",
    "Weights",
    "add_column_sums",
    "add_weight_gradients",
    "beam_search",
    "crf",
    "ctc",
    "draw",
    "drop",
    "first_non_finite",
    "fma_peak",
    "gather_padded",
    "input_gradient",
    "instruction",
    "isa",
    "lanes",
    "matmul",
    "normalize",
    "normalize_back",
    "normalize_rows",
    "num_threads",
    "openmp",
    "pipeline_pays",
    "plan",
    "read_bandwidth",
    "rows_of_streams",
    "run",
    "scatter_add",
    "set_num_threads",
    "supported_isas",
    "threads",
    "tile",
    "viterbi",
]

keep_freed_memory()
