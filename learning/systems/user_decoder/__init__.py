"""User-specific decoder: one encoder for all raters, and a head of their own for each.

The encoder (EDSR-baseline, or RDN) gives features of a photo; a rater's head (LIIF as the
paper's text says, or HIIF as its code runs it) turns them into a residual. In training one
head is in memory: 16 steps on one rater, then the next. The encoder's optimiser goes on
through all of them, the head's is new at every change. A new rater's head is trained on
their references alone, the encoder frozen: from scratch, as published, or from the mean of
the trained heads.

Two things differ from the published network. All heads start alike, with a residual of 0,
so that an untrained system changes nothing and the mean of heads is a head itself. And
pairs whose images do not show the same thing pixel by pixel teach nothing.

Source: J. Kim, J. Yoo, S. J. Kim (2026), Learning Personalized Photographic Style from
Pairwise User Preferences, CVPR; sizes and the change of raters as in the first author's
public development code.
"""

from learning.systems.user_decoder.config import NAME, PRESETS, TITLE, AdaptConfig, Config
from learning.systems.user_decoder.system import UserDecoder, load
from learning.systems.user_decoder.training import fit

__all__ = ["NAME", "PRESETS", "TITLE", "AdaptConfig", "Config", "UserDecoder", "fit", "load"]
