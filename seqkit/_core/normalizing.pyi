import numpy as np

from seqkit._core.calls import _Place

def normalize(
    x: _Place, y: _Place, lengths: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float
) -> np.ndarray: ...
def normalize_back(
    x: _Place,
    dy: _Place,
    dx: _Place | None,
    lengths: np.ndarray,
    moments: np.ndarray,
    gamma: np.ndarray,
    dgamma: np.ndarray | None = ...,
    dbeta: np.ndarray | None = ...,
) -> None: ...
def normalize_rows(x: object, gamma: np.ndarray, beta: np.ndarray, epsilon: float) -> np.ndarray | None: ...
