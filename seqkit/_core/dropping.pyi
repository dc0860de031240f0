import numpy as np

from seqkit._core.calls import _Place
from seqkit._core.noise import Noise

def drop(
    noise: Noise,
    first_row: int,
    x: _Place,
    y: _Place,
    lengths: np.ndarray,
    time: int,
    features: int,
    dtype: str,
    same_steps: bool = ...,
    same_features: bool = ...,
) -> None: ...
