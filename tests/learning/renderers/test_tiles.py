import pytest
import torch

from learning.renderers import tiles
from learning.renderers.edsr import EdsrEncoder
from learning.renderers.hiif import HiifConfig, HiifHead
from learning.renderers.liif import LiifConfig, LiifDecoder
from learning.renderers.rdn import RdnEncoder
from learning.renderers.tiles import residual_in_tiles

HEADS = {
    "liif": lambda: LiifDecoder(2, LiifConfig(channels=4, hidden=8, hidden_layers=2)),
    "hiif": lambda: HiifHead(2, HiifConfig(channels=4, width=8, heads=2, layers=3, hidden=8)),
}
ENCODERS = {"edsr": lambda: EdsrEncoder(4, 1), "rdn": lambda: RdnEncoder(4, 1, 1, 4)}


@pytest.mark.parametrize("kept", [0, 2**29])
@pytest.mark.parametrize("size", [(23, 31), (40, 29)])
@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("head", HEADS)
def test_tiles_give_the_same_as_the_whole(head, encoder, size, kept, monkeypatch):
    """At the photo's own size and at another one, with and without keeping what was encoded."""
    monkeypatch.setattr(tiles, "KEPT_BYTES", kept)
    torch.manual_seed(0)
    encoder, head = ENCODERS[encoder](), HEADS[head]()
    photo, embedding = torch.rand(1, 3, 23, 31), torch.rand(1, 2)
    with torch.inference_mode():
        whole = head(encoder(photo), embedding, size)
    in_tiles = residual_in_tiles(encoder, head, photo, embedding, size, tile=10)
    torch.testing.assert_close(in_tiles, whole, atol=1e-6, rtol=0)


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_feature_hangs_on_no_more_than_the_reach(encoder):
    torch.manual_seed(0)
    encoder = ENCODERS[encoder]()
    photo = torch.rand(1, 3, 1, 41)
    changed = photo.clone()
    changed[..., 20] += 1
    moved = (encoder(photo) - encoder(changed)).abs().amax(dim=(0, 1, 2)).nonzero()[:, 0]
    assert (int(moved.min()), int(moved.max())) == (20 - encoder.reach, 20 + encoder.reach)
