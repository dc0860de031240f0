"""For other compiled modules: checks of arrays, results that are used again."""

from typing import final

@final
class Results: ...
