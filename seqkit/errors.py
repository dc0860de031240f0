"""Every error that seqkit raises on purpose.

Each class is a :class:`SeqkitError` and also the built-in exception that a caller would
expect, so ``except ValueError`` keeps working.  A message names the object, what was
expected, what came, and what to do.
"""

from __future__ import annotations


class SeqkitError(Exception):
    """Base class of every error raised by seqkit."""


class ShapeError(SeqkitError, ValueError):
    """An array has the wrong number of dimensions or the wrong size."""


class DTypeError(SeqkitError, TypeError):
    """An array has a data type that cannot be used here."""


class ConfigError(SeqkitError, ValueError):
    """A layer, model or option was given a value that it cannot take."""


class NotBuiltError(SeqkitError, RuntimeError):
    """Parameters were asked for before the input size was known."""


class EquationError(SeqkitError, ValueError):
    """The equations of a cell cannot be traced or are inconsistent."""


class StreamError(SeqkitError, LookupError):
    """A stream is not open, is named twice, or there is no room for another."""


class UnknownLayerError(SeqkitError, LookupError):
    """No layer is registered under this name."""


class PluginError(SeqkitError, ImportError):
    """A plugin is broken, or two plugins claim one name."""


class PluginWarning(UserWarning):
    """A plugin works, but not as it was meant to."""


class DataError(SeqkitError, ValueError):
    """A data file or data set cannot be used as it is."""


class NonFiniteError(SeqkitError, ArithmeticError):
    """A loss, gradient or parameter is NaN or infinite."""


class CheckError(SeqkitError, ArithmeticError):
    """A self-check found a wrong result."""


class LoadError(SeqkitError, ValueError):
    """A model file is damaged, too new, or not a seqkit model."""


class UnsafeFileError(LoadError):
    """A file is made to do harm, or cannot be told from one that is: nothing of it is used."""


class ConvertError(SeqkitError, ValueError):
    """A model cannot be represented here, or in a foreign format, exactly; the message says what of it."""


class BuildError(SeqkitError, ImportError):
    """The compiled core is missing or does not fit this processor."""


def words(error: BaseException) -> str:
    """Type and message of somebody else's error in one line of bounded length, whatever the error does.

    Examples
    --------
    >>> words(ValueError("no\\n such  thing"))
    'ValueError: no such thing'
    """
    try:
        text = " ".join(str(error).split())
    except Exception:
        text = "(it has no message)"
    kind = type(error).__name__
    return f"{kind}: {text[:300]}" if text else kind
