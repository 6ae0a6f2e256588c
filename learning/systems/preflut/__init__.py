"""PrefLUT: a rival built from its recipe. A rater's pairs and a photo make one LUT, and how much of it to use.

An image encoder gives each reference pair a token (both images and their difference); a set
transformer with learned pool tokens makes a profile of any number of them, kept as one byte a
number. Profile and photo give the latent of a 17³ LUT that departs from the identity by at most
0.5, and a strength trained on which input was the rejected one; outside of training it counts
0.7. Encoders and LUT decoder are learnt beforehand from LUTs fitted to aligned pairs, and frozen.

Where the recipe is silent: the query encoder is a copy of the pair encoder, and frozen with it; the
LUT encoder mirrors the decoder; the learning rate of the pre-training is 1e-3; a LUT's smoothness is
the mean square of how its change differs between neighbours. The networks at the recipe's sizes have
7,506,052 parameters, and 10,407,812 with those that only the pre-training has, where 10.26 million
are reported.

Source: Xu et al. (2026), PrefLUT, an unreviewed manuscript; built from a description of it.
"""

from learning.systems.preflut.config import PRESETS as PRESETS
from learning.systems.preflut.config import Config as Config
from learning.systems.preflut.config import paper as paper
from learning.systems.preflut.config import tiny as tiny
from learning.systems.preflut.network import Network as Network
from learning.systems.preflut.system import NAME as NAME
from learning.systems.preflut.system import TITLE as TITLE
from learning.systems.preflut.system import PrefLut as PrefLut
from learning.systems.preflut.system import load as load
from learning.systems.preflut.training import fit as fit
