import pytest
import torch

from learning.renderers import liif
from learning.renderers.liif import LiifConfig, LiifDecoder, pixel_centres


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_decoder_has_the_published_size():
    """580→256→256→256→256→3: LIIF's decoder; with the encoder 1.567 million."""
    assert count(LiifDecoder(0, LiifConfig())) == 346_883


def test_pixel_centres_span_the_image_row_first():
    centres = pixel_centres((2, 4))
    assert centres.shape == (2, 4, 2)
    torch.testing.assert_close(centres[:, 0, 0], torch.tensor([-0.5, 0.5]))
    torch.testing.assert_close(centres[0, :, 1], torch.tensor([-0.75, -0.25, 0.25, 0.75]))


def test_it_is_the_published_query_done_step_by_step():
    """Unfold, four neighbours, their MLP answers, weights by the opposite rectangle: as the paper tells it."""
    torch.manual_seed(0)
    decoder = LiifDecoder(2, LiifConfig(channels=3, hidden=8, hidden_layers=2))
    features, embedding, size = torch.rand(1, 3, 4, 5), torch.rand(1, 2), (7, 6)
    unfolded = torch.nn.functional.unfold(features, 3, padding=1).view(27, 4, 5)
    cell = torch.tensor([2 / 7 * 4, 2 / 6 * 5])
    for row, column in ((0, 0), (3, 4), (6, 5), (2, 1)):
        at = torch.tensor([-1 + (2 * row + 1) / 7, -1 + (2 * column + 1) / 6])
        answers, areas = [], []
        for down in (-1, 1):
            for right in (-1, 1):
                moved = (at + torch.tensor([down / 4, right / 5]) + 1e-6).clamp(-1 + 1e-6, 1 - 1e-6)
                i, j = int((moved[0] + 1) / 2 * 4), int((moved[1] + 1) / 2 * 5)
                centre = torch.tensor([-1 + (2 * i + 1) / 4, -1 + (2 * j + 1) / 5])
                relative = (at - centre) * torch.tensor([4, 5])
                answers.append(decoder.mlp(torch.cat([unfolded[:, i, j], relative, cell, embedding[0]])))
                areas.append((relative.abs() + 1e-9).prod())
        weights = torch.stack(areas[::-1]) / sum(areas)
        expected = sum(w * a for w, a in zip(weights, answers, strict=True))
        torch.testing.assert_close(decoder(features, embedding, size)[0, :, row, column], expected)


@pytest.mark.parametrize("size", [(6, 5), (11, 17)])
def test_the_ensembles_weights_sum_to_one(size):
    """With a decoder that answers the same everywhere, the blend is that answer."""
    decoder = LiifDecoder(3, LiifConfig(channels=4, hidden=8, hidden_layers=1))
    torch.nn.init.zeros_(decoder.mlp[-1].weight)
    decoder.mlp[-1].bias.data = torch.tensor([0.1, 0.2, 0.3])
    answer = decoder(torch.rand(2, 4, 6, 5), torch.rand(2, 3), size)
    assert answer.shape == (2, 3, *size)
    torch.testing.assert_close(answer, torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1).expand_as(answer))


def test_the_ensemble_interpolates_a_linear_ramp_exactly():
    """A decoder that gives back one feature turns the ensemble into bilinear interpolation."""
    config = LiifConfig(channels=1, hidden=2, hidden_layers=1)
    decoder = LiifDecoder(0, config)
    centre = 4  # of the nine unfolded neighbours
    for parameter in decoder.parameters():
        torch.nn.init.zeros_(parameter)
    decoder.mlp[0].weight.data[0, centre] = 1
    decoder.mlp[-1].weight.data[:, 0] = 1
    ramp = torch.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 4, 8)
    answer = decoder(ramp, torch.zeros(1, 0), (4, 16))[0, 0]
    # New centres lie a quarter cell to each side of the old ones; past the outer ones the edge goes on.
    expected = torch.cat([torch.tensor([0.0]), torch.arange(0.25, 7, 0.5), torch.tensor([7.0])])
    torch.testing.assert_close(answer, expected.expand(4, 16), atol=1e-3, rtol=0)


def test_pieces_give_the_same_as_the_whole(monkeypatch):
    torch.manual_seed(0)
    decoder = LiifDecoder(3, LiifConfig(channels=4, hidden=8, hidden_layers=2))
    features, embedding = torch.rand(2, 4, 6, 5), torch.rand(2, 3)
    whole = decoder(features, embedding, (7, 9))
    monkeypatch.setattr(liif, "QUERIES_AT_ONCE", 10)
    with torch.no_grad():
        torch.testing.assert_close(decoder(features, embedding, (7, 9)), whole)


def test_impossible_settings_are_named():
    with pytest.raises(ValueError, match="blocks is 0"):
        LiifConfig(blocks=0)
