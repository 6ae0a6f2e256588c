"""Preference embedding (UPE): a rater's answers become one vector, and one decoder serves all raters.

Of every reference pair the backbone's features give the content (their sum) and the style
(preferred minus rejected), each scaled to length 1. A set transformer without positions and
a mean turn any number of pairs into the embedding; the decoder adds a residual to the photo.

The presets `paper` and `full` are the published network: EDSR and HIIF, the embedding at the
decoder's first layer, the reference pairs of a rater fixed and never in the loss. What `tiny`, `plus`
or a setting has beside it, because a published-shaped network hardly uses its rater (docs/decisions):
- the reader also gets the features unscaled, how long the style was, and the difference of the
  pair's colour statistics;
- the decoder is given the embedding at every layer (FiLM), or sees the photo's own statistics;
- a gate, trained on which input was the preferred one, holds the edit back where the photo
  is already to the rater's taste. Trained through the image loss alone it would only close;
- a loss asks another rater's edit to be farther from the preferred image than the rater's own.

Source: J. Kim, J. Yoo, S. J. Kim (2026), CVPR; the networks' sizes are those of the first
author's public development code.
"""

from learning.systems.upe.config import Config as Config
from learning.systems.upe.config import FixedReferences as FixedReferences
from learning.systems.upe.config import ReaderConfig as ReaderConfig
from learning.systems.upe.network import Network as Network
from learning.systems.upe.presets import PRESETS as PRESETS
from learning.systems.upe.presets import full as full
from learning.systems.upe.presets import paper as paper
from learning.systems.upe.presets import plus as plus
from learning.systems.upe.presets import tiny as tiny
from learning.systems.upe.reader import Reader as Reader
from learning.systems.upe.reader import pair_token as pair_token
from learning.systems.upe.system import NAME as NAME
from learning.systems.upe.system import TITLE as TITLE
from learning.systems.upe.system import Upe as Upe
from learning.systems.upe.system import load as load
from learning.systems.upe.training import fit as fit
