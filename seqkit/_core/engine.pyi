from seqkit._core.calls import Call
from seqkit._core.machine import Arena

def run(calls: list[Call], threads: int, arena: Arena) -> None: ...
