"""Models of Keras: ``.keras`` archives of Keras 3, and HDF5 files of models and weights.

A configuration is data, compared with tables (:mod:`.schema`); weights are read by a child process (:mod:`.hdf5`).
Keras itself is not needed, and nothing of a file is imported, called or looked up.
"""

from seqkit.interop.keras.read import from_keras, read

__all__ = ["from_keras", "read"]
