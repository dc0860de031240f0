from types import ModuleType

ABI: int
POINTWISE: str
BUILT_IN: KernelTable | None

class KernelTable:
    package: str
    kernels: dict[tuple[str, str], int]
    def __init__(self, module: ModuleType) -> None: ...
