"""All formats by name."""

from hostile_files.keras_files import HDF5, KERAS
from hostile_files.native import NATIVE
from hostile_files.onnx_files import ONNX
from hostile_files.rtneural_files import RTNEURAL
from hostile_files.torch_files import PICKLES, SAFETENSORS

FORMATS = {kind.name: kind for kind in (NATIVE, SAFETENSORS, PICKLES, KERAS, HDF5, ONNX, RTNEURAL)}
