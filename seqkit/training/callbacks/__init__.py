"""Callbacks: what is done beside training, one a file."""

from __future__ import annotations

from seqkit.training.callbacks.base import Callback, CallbackList
from seqkit.training.callbacks.checkpoint import Checkpoint
from seqkit.training.callbacks.csv_logger import CSVLogger
from seqkit.training.callbacks.early_stopping import EarlyStopping
from seqkit.training.callbacks.learning_rate import LearningRateScheduler
from seqkit.training.callbacks.progress_bar import ProgressBar
from seqkit.training.callbacks.reduce_on_plateau import ReduceLROnPlateau
from seqkit.training.callbacks.tensorboard import TensorBoard

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "Checkpoint",
    "EarlyStopping",
    "LearningRateScheduler",
    "ProgressBar",
    "ReduceLROnPlateau",
    "TensorBoard",
]
