"""Everything that a run of masked style modeling keeps."""

from learning.systems.msm.config import Config
from learning.systems.style_parts.enhancer import Enhancer
from learning.systems.style_parts.masked import MaskedStyleNetwork


class Network(MaskedStyleNetwork):
    """90 million parameters as published, and the degrading model."""

    def __init__(self, config: Config) -> None:
        super().__init__(config.encoder, config.enhancer_width, config.predictor, styles=1)
        self.degrader = Enhancer(config.enhancer_width, 0)
