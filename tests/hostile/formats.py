"""All formats by name."""

from hostile.keras_files import HDF5, KERAS
from hostile.native import NATIVE
from hostile.onnx_files import ONNX
from hostile.rtneural_files import RTNEURAL
from hostile.torch_files import PICKLES, SAFETENSORS

FORMATS = {kind.name: kind for kind in (NATIVE, SAFETENSORS, PICKLES, KERAS, HDF5, ONNX, RTNEURAL)}
