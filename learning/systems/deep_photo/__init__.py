"""Deep Photo Style Transfer, and the quick methods that came after it: a style from liked photos.

As published, the pixels of a photo are changed by L-BFGS until the Gram matrices of a network's features
are those of the style, segment by segment, while the Matting Laplacian holds the change to
locally affine maps of colour. That takes minutes. Beside it stand maps of colour from
statistics alone (Reinhard, Monge-Kantorovich, sliced optimal transport) and L-BFGS on a LUT instead of
pixels. `Config.method` says which.

Source: F. Luan, S. Paris, E. Shechtman, K. Bala (2017), Deep Photo Style Transfer, CVPR.
"""

from learning.systems.deep_photo.config import METHODS, NAME, PRESETS, TITLE, Config
from learning.systems.deep_photo.segments import SegmentError
from learning.systems.deep_photo.system import DeepPhoto, Transfer, fit, load, untrained

__all__ = [
    "METHODS",
    "NAME",
    "PRESETS",
    "TITLE",
    "Config",
    "DeepPhoto",
    "SegmentError",
    "Transfer",
    "fit",
    "load",
    "untrained",
]
