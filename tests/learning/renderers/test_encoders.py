from learning.renderers.edsr import EdsrEncoder
from learning.renderers.rdn import RdnEncoder


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_edsr_baseline_has_the_published_size():
    """Conv 3→64: 1 792; 33 convolutions 64→64 of 36 928 each. Two of them in each block, one at each end."""
    encoder = EdsrEncoder()
    assert count(encoder) == 1_792 + 33 * 36_928 == 1_220_416
    assert encoder.reach == 34


def test_rdn_b_has_the_published_size():
    """16 blocks of 1 364 544: convolutions of 36 864 · (1 + … + 8) + 8 · 64, fused 576→64. LIIF's 22.3 million."""
    encoder = RdnEncoder()
    block = 36_864 * 36 + 8 * 64 + 576 * 64 + 64
    assert count(encoder) == 16 * block + 1_792 + 36_928 + 1024 * 64 + 64 + 36_928 == 21_973_952
    assert encoder.reach == 131
