"""Exemplar-based inference: masked style modeling on a rater's answers.

Every reference is a triplet: the scene's original, the preferred image, the rejected one.
Their styles are differences of embeddings to the original, its content says what the scene
shows. A transformer reads all references and the photo to edit, whose own styles are
masked, and predicts the preferred style; a U-Net edits the photo to it at a fixed size.
The edit is lifted to the photo's full size by a fitted LUT or bilateral grid.

Where a scene has no neutral rendition the original of a pair is its mean in linear light;
in training that is so for a share of those that have one, so that both can be read.
Two settings go beyond the published form (the preset tiny has both):
- style="preferred_minus_rejected": one style per reference, measured between the two images,
  as masked style modeling was adapted for a comparison elsewhere;
- query="input": the predicted style is the way from the very photo to be edited to the
  preferred one. As published it is the way from the original, whatever the photo is, so a
  photo that is already to the rater's taste is edited once more.

Sources: J. Kim, J. Yoo, S. J. Kim (2026), CVPR; S. Kosugi, T. Yamasaki (2024), IEEE TCSVT.
"""

from learning.systems.exemplar.config import NAME, PRESETS, TITLE, Config, paper, tiny
from learning.systems.exemplar.network import Network
from learning.systems.exemplar.system import Exemplar, load
from learning.systems.exemplar.training import fit

__all__ = ["NAME", "PRESETS", "TITLE", "Config", "Exemplar", "Network", "fit", "load", "paper", "tiny"]
