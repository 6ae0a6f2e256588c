import pytest
import torch

from learning.renderers import hiif
from learning.renderers.hiif import HiifConfig, HiifHead, LinearAttention
from learning.renderers.windows import Window

SMALL = HiifConfig(channels=4, width=8, heads=2, layers=4, hidden=8)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def made(config=SMALL, embedding=0):
    torch.manual_seed(0)
    return HiifHead(embedding, config)


def test_a_raters_head_has_the_published_size():
    """Layers 333 852, attention 658 048, to the unit; with the convolution 6 940 284 bytes in float32."""
    head = HiifHead(0, HiifConfig())
    assert count(head.decoder) == 1_587_359
    assert count(head.freq) == 147_712
    assert 4 * count(head) == 6_940_284


def test_an_embedding_stands_beside_the_first_layers_input_as_published():
    """UPE's full configuration: four times 384, cell and bits of 2, an embedding of 512."""
    head = HiifHead(512, HiifConfig(width=384, heads=24))
    assert head.decoder.layers[0].inner.in_features == 1536 + 2 + 2 + 512
    assert head.decoder.layers[1].inner.in_features == 384 + 2


@pytest.mark.parametrize("injection", ["concat", "film"])
def test_the_embedding_changes_the_answer(injection):
    head = made(HiifConfig(channels=4, width=8, heads=2, layers=4, hidden=8, injection=injection), 3)
    features = torch.rand(1, 4, 5, 6).expand(2, -1, -1, -1)
    first, second = head(features, torch.tensor([[0.0, 0, 0], [1, -1, 2]]), (5, 6))
    assert (first - second).abs().max() > 1e-3


def test_pieces_give_the_same_as_the_whole(monkeypatch):
    head, features = made(embedding=3), torch.rand(2, 4, 6, 5)
    embedding = torch.rand(2, 3)
    whole = head(features, embedding, (7, 9))
    monkeypatch.setattr(hiif, "QUERIES_AT_ONCE", 10)
    with torch.no_grad():
        torch.testing.assert_close(head(features, embedding, (7, 9)), whole)


def test_windows_give_the_same_as_the_whole():
    """Two halves of a photo, each with one row more for the convolution; sums are gathered over both."""
    head, features, none = made(), torch.rand(1, 4, 8, 5), torch.zeros(1, 0)
    windows = [
        Window(
            features=features[:, :, cut],
            corner=(cut.start, 0),
            map_size=(8, 5),
            rows=rows,
            columns=range(5),
            size=(8, 5),
        )
        for cut, rows in ((slice(0, 6), range(4)), (slice(3, 8), range(4, 8)))
    ]
    with torch.no_grad():
        contexts = []
        for _ in range(head.summaries):
            contexts.append(sum(head.summary(w, none, contexts) for w in windows) / 40)
        parts = [head.answer(window, none, contexts) for window in windows]
        torch.testing.assert_close(torch.cat(parts, dim=2), head(features, none, (8, 5)))


def test_attention_is_the_published_formula():
    """One head of width 2, three pixels, by hand: q (LN(k)ᵀ LN(v)) / 3."""
    torch.manual_seed(0)
    attention = LinearAttention(2, 1)
    torch.nn.init.zeros_(attention.out.weight)
    torch.nn.init.zeros_(attention.out.bias)
    x = torch.tensor([[[1.0, 2], [3, -1], [0, 4]]])
    torch.testing.assert_close(attention(x, attention.summary(x) / 3), x)  # only the skip is left
    keys, values = (x @ attention.qkv.weight[i : i + 2].T + attention.qkv.bias[i : i + 2] for i in (2, 4))

    def normalised(t):
        return (t - t.mean(-1, keepdim=True)) / (t.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()

    expected = sum(torch.outer(k, v) for k, v in zip(normalised(keys[0]), normalised(values[0]), strict=True))
    torch.testing.assert_close(attention.summary(x)[0, 0], expected)


def test_bits_are_the_binary_digits_of_the_place_between_features():
    place = torch.tensor([[0.0, 0.8125]])  # 0.1101 in binary
    digits = [hiif._bits(place, level)[0].tolist() for level in range(4)]
    assert digits == [[0, 1], [0, 1], [0, 0], [0, 1]]


def test_at_the_photos_own_size_all_bits_are_zero_and_a_pixel_sees_its_own_cell():
    head = made()
    window = Window.whole(torch.rand(1, 4, 6, 7), (6, 7))
    changed = head.freq(window.features)
    tokens = head._tokens(window, changed)
    assert not tokens.local.any()
    inside = tokens.neighbours.view(6, 7, 4, 8)[:-1, :-1]
    torch.testing.assert_close(inside[:, :, 0], changed[0].permute(1, 2, 0)[:-1, :-1])
    assert inside[:, :, 1:].abs().max() < 1e-7


def test_it_starts_as_the_identity_when_told():
    head = made(embedding=2)
    head.start_as_identity()
    assert not head(torch.rand(1, 4, 5, 6), torch.rand(1, 2), (5, 6)).any()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"heads": 3}, "width is 256; it must be a multiple of heads"),
        ({"layers": 1}, "layers is 1; it must be from 2 to 16"),
        ({"injection": "sum"}, "injection is 'sum'; it must be one of concat, film"),
    ],
)
def test_impossible_settings_are_named(setting, message):
    with pytest.raises(ValueError, match=message):
        HiifConfig(**setting)
