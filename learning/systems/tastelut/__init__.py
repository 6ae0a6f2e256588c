"""TasteLUT: our own learner. A rater is an ideal point in tone space, an edit is curves and a LUT for one photo.

What it does that the published ones do not:
- a model of all training raters answers the questions that they were not asked, so that the editor is
  trained on every rendition of every scene;
- how an image departs from its scene's usual look is learnt by itself, and so is how to get to a tone
  that is told; where a rater wants to go is a Bayesian ideal point with its uncertainty, in closed form;
- a gate that was told which image was the preferred one leaves alone what is to taste already.
"""

from learning.systems.tastelut.config import PRESETS as PRESETS
from learning.systems.tastelut.config import Config as Config
from learning.systems.tastelut.config import full as full
from learning.systems.tastelut.config import tiny as tiny
from learning.systems.tastelut.network import Network as Network
from learning.systems.tastelut.system import NAME as NAME
from learning.systems.tastelut.system import TITLE as TITLE
from learning.systems.tastelut.system import TasteLut as TasteLut
from learning.systems.tastelut.system import load as load
from learning.systems.tastelut.training import fit as fit
