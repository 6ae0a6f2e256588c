"""Masked style modeling (PIE-MSM): the style for a photo, predicted from liked photos like it.

A reference is a photo that somebody likes, with the original it was made from: its style is
the difference of the two embeddings, its content says what it shows. A transformer reads
the references and the content of the photo to edit, whose style is masked, and predicts
that style, so another photo may get another style from the same person; a U-Net edits to
it at a fixed size, and the edit is lifted to the photo's full size.

Where a liked photo has no original, a degrading model makes one. Training has four stages:
1. degrading: from the results of rule-based pseudo-users back to the originals;
2. embedding: PieNet's, which measures the enhancer's results;
3. style and enhancer together: the published first step;
4. content and transformer: the published second step, on raters and on pseudo-users.

The degrading model is the enhancer's U-Net without a style; the authors took another
published network, so its pseudo originals are not theirs.

Source: S. Kosugi, T. Yamasaki (2024), Personalized Image Enhancement Featuring Masked Style
Modeling, IEEE TCSVT, with the facts of the authors' public code.
"""

from learning.systems.msm.config import NAME, PRESETS, TITLE, Config, paper, tiny
from learning.systems.msm.network import Network
from learning.systems.msm.system import MaskedStyleModel, load
from learning.systems.msm.training import fit

__all__ = [
    "NAME",
    "PRESETS",
    "TITLE",
    "Config",
    "MaskedStyleModel",
    "Network",
    "fit",
    "load",
    "paper",
    "tiny",
]
