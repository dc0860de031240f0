import numpy as np

from seqkit._core.calls import Place
from seqkit._core.noise import Noise

def drop(
    noise: Noise,
    first_row: int,
    x: Place,
    y: Place,
    lengths: np.ndarray,
    time: int,
    features: int,
    dtype: str,
    same_steps: bool = ...,
    same_features: bool = ...,
) -> None: ...
