"""Reader, decoder and gate as one network."""

import torch
from torch import nn

from learning.renderers.color_field import ColorField, ColorFieldConfig
from learning.renderers.edsr import EdsrEncoder
from learning.renderers.hiif import HiifConfig, HiifHead
from learning.renderers.liif import LiifConfig, LiifDecoder
from learning.renderers.tiles import residual_in_tiles
from learning.systems.shared import resized
from learning.systems.upe.config import Config
from learning.systems.upe.reader import Reader


class ColorEditor(nn.Module):
    """Embedding and the photo's features → one colour map for the whole photo."""

    def __init__(self, features: int, config: Config) -> None:
        super().__init__()
        assert isinstance(config.decoder, ColorFieldConfig)
        self.sees_photo = config.photo_statistics
        inputs = config.reader.embedding + (features if self.sees_photo else 0)
        self.field = ColorField(inputs, config.decoder)

    def plan(self, embedding: torch.Tensor, features: torch.Tensor, guides: torch.Tensor) -> torch.Tensor:
        inputs = torch.cat([embedding, features], dim=-1) if self.sees_photo else embedding
        return self.field.plan(inputs)

    def forward(self, images: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        colors = images.flatten(2).transpose(1, 2)  # (B, H·W, 3)
        return self.field.apply_to(colors, plan).transpose(1, 2).reshape(images.shape)


class PlaceEditor(nn.Module):
    """EDSR features of the photo, asked by LIIF or HIIF for a residual at every pixel.

    Features and answer are of one size, as in training. A photo with a larger shorter side than
    `largest_short_side` is looked at in this size, and the residual is enlarged.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        decoder = config.decoder
        assert isinstance(decoder, LiifConfig | HiifConfig)
        self.largest_short_side = config.largest_short_side
        self.encoder = EdsrEncoder(decoder.channels, decoder.blocks)
        self.decoder: LiifDecoder | HiifHead
        if isinstance(decoder, HiifConfig):
            self.decoder = HiifHead(config.reader.embedding, decoder)
        else:
            self.decoder = LiifDecoder(config.reader.embedding, decoder)
        self.decoder.start_as_identity()

    def plan(self, embedding: torch.Tensor, features: torch.Tensor, guides: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, E) and guides (B, 3, h, w) → the residual (B, 3, h, w), at a bounded size."""
        height, width = guides.shape[-2:]
        if (scale := self.largest_short_side / min(height, width)) < 1:
            guides = resized(guides, (round(height * scale), round(width * scale)))
        size = (int(guides.shape[-2]), int(guides.shape[-1]))
        if torch.is_grad_enabled() or len(guides) > 1:
            residual: torch.Tensor = self.decoder(self.encoder(guides), embedding, size)
            return residual
        return residual_in_tiles(self.encoder, self.decoder, guides, embedding, size)

    def forward(self, images: torch.Tensor, plan: torch.Tensor) -> torch.Tensor:
        return images + resized(plan, images.shape[-2:])


class Gate(nn.Module):
    """How far a photo is from the rater's taste, as a logit: above 0 it rather needs the edit."""

    def __init__(self, features: int, embedding: int, dropout: float, hidden: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(embedding + features, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, 1),
        )

    def forward(self, embedding: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.layers(torch.cat([embedding, features], dim=-1))[..., 0]
        return logits


class Network(nn.Module):
    """Reader, decoder and gate, with the scale of the features that they stand on.

    Args:
        features: numbers in a feature vector, the colour statistics at its end among them.
        config: of what it is made.
        colors: how many of the features are colour statistics beside those of a backbone.
    """

    feature_mean: torch.Tensor
    feature_deviation: torch.Tensor

    def __init__(self, features: int, config: Config, colors: int = 0) -> None:
        super().__init__()
        self.colors = colors
        self.reader = Reader(features, config.reader, colors)
        self.editor: ColorEditor | PlaceEditor
        if isinstance(config.decoder, ColorFieldConfig):
            self.editor = ColorEditor(features, config)
        else:
            self.editor = PlaceEditor(config)
        self.gate = Gate(features, config.reader.embedding, config.reader.dropout) if config.gate else None
        self.register_buffer("feature_mean", torch.zeros(features))
        self.register_buffer("feature_deviation", torch.ones(features))

    def scaled(self, features: torch.Tensor) -> torch.Tensor:
        return (features - self.feature_mean) / self.feature_deviation

    def learn_scale(self, features: torch.Tensor, *, colors_only: bool = False) -> None:
        """From features (..., D) of the training images; a backbone's own may stay as they are."""
        rows = features.reshape(-1, features.shape[-1])
        first = rows.shape[-1] - self.colors if colors_only else 0
        self.feature_mean[first:] = rows.mean(0)[first:]
        self.feature_deviation[first:] = rows.std(0, correction=0)[first:] + 1e-4


def new_network(features: int, config: Config, colors: int, seen: torch.Tensor) -> Network:
    """With weights by the config's seed, and the scale of the features `seen` (..., D) in training."""
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        network = Network(features, config, colors)
    if config.reader.standardise or colors:
        network.learn_scale(seen, colors_only=not config.reader.standardise)
    return network
