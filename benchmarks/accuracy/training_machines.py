"""The machines of published training steps, by the device that a row names."""

from __future__ import annotations

from benchmarks.accuracy.training_case import Machine

DGX_A100 = Machine("dgx-a100")
MACHINES = {
    "H100": Machine("dgx-h100"),
    "H100-80GB": Machine("dgx-h100"),
    "H100-SXM5-80GB": Machine("dgx-h100"),
    "H100-SXM-80GB": Machine("dgx-h100"),
    "H100-96GB(HBM2e,500W)": Machine("grand-teton-h100"),
    "H200": Machine("dgx-h200"),
    "H200-SXM5-141GB": Machine("dgx-h200"),
    "H800-80GB": Machine("hgx-h800"),
    "B200": Machine("dgx-b200"),
    "B200-SXM": Machine("dgx-b200"),
    "Blackwell GPU (B200-SXM-180GB)": Machine("dgx-b200"),
    "B300": Machine("dgx-b300"),
    "GB200": Machine("gb200-nvl72"),
    "Blackwell GPU (GB200)": Machine("gb200-nvl72"),
    "GB300": Machine("gb300-nvl72"),
    "A100-80GB": DGX_A100,
    "A100-40GB": Machine("a100-40gb-8x", num_nics=8, scale_out="infiniband-hdr"),
}
