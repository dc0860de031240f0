"""What a reader does, as the interpreter's audit events tell: everything that is not known to be harmless is noted.

Table of the events: docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HARMLESS = frozenset(
    {
        *(
            "sys._getframe",
            "sys.setprofile",
            "object.__getattr__",
            "builtins.id",
            "gc.get_objects",
            "os.listdir",
            "os.scandir",
        ),
        *("array.__new__", "_thread.start_new_thread", "_thread.start_joinable_thread"),  # timers of child processes
    }
)
SYSTEM = frozenset({"/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"})
"""Files that say how much memory there is; those are asked for before large arrays are made."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Notes what happens while it is switched on.

    Parameters
    ----------
    children : tuple of str
        Scripts that a reader may start with this Python.
    """

    def __init__(self, children: tuple[str, ...] = ()) -> None:
        self.children, self.folder, self.seen = children, Path("/"), list[str]()
        self._on = False
        sys.addaudithook(self._hook)

    def begin(self, folder: Path) -> None:
        """From now on files of `folder`, which is the current one, may be read and nothing else be done."""
        self.folder, self.seen, self._on = folder.resolve(), [], True

    def end(self) -> list[str]:
        """What was done that should not have been."""
        self._on = False
        return self.seen

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event in HARMLESS:
            return
        self._on = False  # what is done here is not the reader's
        try:
            if not self._allowed(event, arguments):
                self.seen.append(f"{event} {arguments!r:.200}")
        finally:
            self._on = True

    def _allowed(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "open":
            return self._reads_inside(*arguments)
        if event == "subprocess.Popen":
            executable, command, *_ = arguments
            return executable == sys.executable and any(script in command for script in self.children)
        return event == "os.kill" and bool(self.children)

    def _reads_inside(self, path: Any, mode: str | None, flags: int) -> bool:
        if isinstance(path, int) or path == os.devnull:
            return True
        place = Path(os.fsdecode(path))
        if flags & os.O_NOFOLLOW:  # a link is refused by the system
            inside = (self.folder / place.parent).resolve() / place.name
        else:
            inside = (self.folder / place).resolve()
        read = not flags & WRITING and not set(mode or "r") & set("wax+")
        return read and (inside.is_relative_to(self.folder) or str(place) in SYSTEM)
