"""Number formats of weights, activations and the KV cache."""

from __future__ import annotations

from enum import StrEnum


class Datatype(StrEnum):
    """A number format that accelerators compute or store in."""

    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    NVFP4 = "nvfp4"

    @property
    def num_bytes(self) -> float:
        """Bytes per stored element, scale factors included.

        tf32 is stored in 32 bits. nvfp4 carries one fp8 scale per block of 16 elements
        (NVIDIA, "Introducing NVFP4", 2025): 4 bits + 8/16 bits = 0.5625 bytes.
        """
        return _NUM_BYTES[self]


_NUM_BYTES = {
    Datatype.FP32: 4.0,
    Datatype.TF32: 4.0,
    Datatype.BF16: 2.0,
    Datatype.FP16: 2.0,
    Datatype.FP8: 1.0,
    Datatype.INT8: 1.0,
    Datatype.NVFP4: 0.5625,
}
