"""CQS as printed in publications, for orientation only: other people, other photos, other protocols."""

from typing import NamedTuple


class Published(NamedTuple):
    system: str
    source: str
    delta_e: float | None
    lpips: float | None
    psnr: float | None
    ssim: float | None


PUBLISHED = (
    Published("user-specific decoder", "PPS paper, CVPR 2026", 0.154, 7.24, 25.72, 0.855),
    Published("preference embedding (UPE)", "PPS paper, CVPR 2026", 0.204, 9.99, 36.63, 0.879),
    Published("exemplar-based inference", "PPS paper, CVPR 2026", 0.197, 7.00, 25.52, 0.867),
    Published("PrefLUT", "PrefLUT manuscript, its own split", 0.219, 21.6, 32.7, 0.920),
    Published("identity", "inferred from PrefLUT's table", 0.224, 20.0, None, 0.916),
)
