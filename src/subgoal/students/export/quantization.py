"""How exactly the weights of an exported student are written."""

from enum import StrEnum


class Quantization(StrEnum):
    """The numbers that weights are written in."""

    FLOAT32 = "float32"
    """As they were trained: 4 bytes a weight."""
    FLOAT16 = "float16"
    """2 bytes a weight."""
    BFLOAT16 = "bfloat16"
    """2 bytes a weight, with the range of float32."""
    INT8 = "int8"
    """About 1 byte a weight (GGUF: Q8_0); for `gguf` and `ctranslate2`."""
