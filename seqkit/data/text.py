"""Text as ids: the characters or words of some texts, numbered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from seqkit.errors import ConfigError, DataError

Unit = Literal["characters", "words"]
UNKNOWN = "<unknown>"
_WORD = re.compile("\\w+(?:['\u2019]\\w+)*|[^\\w\\s]")


@dataclass(frozen=True)
class Vocabulary:
    """Symbols and their ids, their places in `symbols`.

    Attributes
    ----------
    symbols : tuple of str
        Characters or words.  Where the first is ``"<unknown>"``, it stands for all others.
    unit : {"characters", "words"}
        What a text is cut into.  Words are runs of letters and digits, with apostrophes inside
        them, and every other character that is not a space.
    lower : bool
        Whether capitals are read as small letters.

    Examples
    --------
    >>> words = Vocabulary.fit(["to be, or not to be"], "words", least=2)
    >>> words.symbols
    ('<unknown>', 'be', 'to')
    >>> words.encode("to see is to be").tolist()
    [2, 0, 0, 2, 1]
    >>> Vocabulary.of(words.facts()) == words
    True
    """

    symbols: tuple[str, ...]
    unit: Unit = "words"
    lower: bool = False

    def __len__(self) -> int:
        return len(self.symbols)

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        unit: Unit = "words",
        *,
        least: int = 1,
        most: int | None = None,
        lower: bool = False,
        unknown: bool = True,
    ) -> Self:
        """Number the symbols of texts, in the order of their characters' numbers.

        Parameters
        ----------
        texts : iterable of str
            Training texts.
        unit, lower
            See the class.
        least : int
            How often a symbol must occur to have an id of its own.
        most : int, optional
            How many symbols may have one; the most frequent do.
        unknown : bool
            Whether id 0 is for symbols that have none.  Without it they are errors.

        Raises
        ------
        DataError
            If no symbol is left.
        """
        if unit not in ("characters", "words"):
            raise ConfigError(f"Vocabulary: unit must be 'characters' or 'words', got {unit!r}.")
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(pieces(text, unit, lower))
        frequent = sorted((name for name, n in counts.items() if n >= least), key=lambda name: (-counts[name], name))
        if not frequent:
            raise DataError(f"Vocabulary: the texts have no {unit} that occur {least} times or more.")
        return cls(((UNKNOWN,) if unknown else ()) + tuple(sorted(frequent[:most])), unit, lower)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The vocabulary that :meth:`facts` is of."""
        return cls(tuple(facts["symbols"]), facts["unit"], facts["lower"])

    def facts(self) -> dict[str, Any]:
        """What JSON, such as a model's ``metadata``, can hold."""
        return {"symbols": list(self.symbols), "unit": self.unit, "lower": self.lower}

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each symbol."""
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    def encode(self, text: str) -> np.ndarray:
        """Ids of the symbols of a text, (T,) of int64.

        Raises
        ------
        DataError
            If a symbol has no id and there is none for unknown ones.
        """
        found, ids = pieces(text, self.unit, self.lower), self.ids
        if self.symbols[0] == UNKNOWN:
            return np.array([ids.get(symbol, 0) for symbol in found], dtype=np.int64)
        strange = next((symbol for symbol in found if symbol not in ids), None)
        if strange is not None:
            raise DataError(f"Vocabulary: {strange!r} is not one of its {len(self)} {self.unit}.")
        return np.array([ids[symbol] for symbol in found], dtype=np.int64)

    def decode(self, ids: ArrayLike) -> str:
        """The text of ids: characters side by side, words with spaces between them.

        Raises
        ------
        DataError
            If an id is negative or too large.
        """
        numbers = np.asarray(ids, dtype=np.int64).ravel()
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(self)):
            raise DataError(f"Vocabulary: ids must be 0 to {len(self) - 1}, got {numbers.min()} to {numbers.max()}.")
        return ("" if self.unit == "characters" else " ").join(self.symbols[number] for number in numbers)


def pieces(text: str, unit: Unit, lower: bool = False) -> list[str]:
    """The characters or words of a text.

    Examples
    --------
    >>> pieces("Let's go!", "words", lower=True)
    ["let's", 'go', '!']
    """
    text = text.lower() if lower else text
    return list(text) if unit == "characters" else _WORD.findall(text)
