"""All formats by name."""

from hostile.native import NATIVE
from hostile.onnx_files import ONNX
from hostile.torch_files import PICKLES, SAFETENSORS

FORMATS = {kind.name: kind for kind in (NATIVE, SAFETENSORS, PICKLES, ONNX)}
