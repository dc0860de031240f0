import numpy as np

def ctc(
    logits: np.ndarray, lengths: np.ndarray, labels: np.ndarray, first: np.ndarray, scale: np.ndarray, blank: int
) -> tuple[np.ndarray, np.ndarray]: ...
