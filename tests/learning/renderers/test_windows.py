import pytest
import torch

from learning.renderers.windows import Window, axis, cells_needed


def test_at_the_photos_own_size_a_pixel_stands_on_its_cell():
    found = axis(range(4), 4, 4)
    assert found.cells.tolist() == [[0, 1, 2, 3], [1, 2, 3, 3]]
    torch.testing.assert_close(found.offsets, torch.tensor([[0.0, 0, 0, 0], [-2, -2, -2, 0]]))
    assert found.weights[0, :3].tolist() == [1, 1, 1]  # up to 1e-9
    assert found.weights[:, 3].tolist() == [0.5, 0.5]  # both are the last cell
    assert found.merged().weights[:, 3].tolist() == [1, 0]


def test_between_cells_each_weighs_as_far_as_the_other_one_is():
    """Twice as many pixels as cells: a quarter cell before a centre, a quarter after it, in turns."""
    found = axis(range(4), 4, 2)
    assert found.cells.tolist() == [[0, 0, 0, 1], [0, 1, 1, 1]]
    torch.testing.assert_close(found.offsets, torch.tensor([[-0.5, 0.5, 1.5, 0.5], [-0.5, -1.5, -0.5, 0.5]]))
    torch.testing.assert_close(found.weights, torch.tensor([[0.5, 0.75, 0.25, 0.5], [0.5, 0.25, 0.75, 0.5]]))
    torch.testing.assert_close(found.local, torch.tensor([0, 0.25, 0.75, 0.25]))


@pytest.mark.parametrize(("n", "cells"), [(7, 7), (9, 4), (4, 9)])
def test_a_part_gets_the_numbers_of_the_whole(n, cells):
    whole, part = axis(range(n), n, cells), axis(range(2, 4), n, cells, start=1)
    assert torch.equal(part.cells + 1, whole.cells[:, 2:4])
    assert torch.equal(part.offsets, whole.offsets[:, 2:4])
    assert torch.equal(part.weights, whole.weights[:, 2:4])


def test_needed_cells_end_where_the_map_ends():
    assert cells_needed(range(0, 2), 10, 10, 3) == range(0, 6)
    assert cells_needed(range(8, 10), 10, 10, 3) == range(5, 10)


def test_a_pixels_cell_is_counted_in_half_cells_of_the_map():
    window = Window.whole(torch.zeros(1, 2, 6, 8), (3, 16))
    assert window.cell == (4.0, 1.0)


def test_pieces_are_bands_of_whole_rows():
    window = Window.whole(torch.zeros(2, 1, 5, 4), (5, 4))
    assert [piece.rows for piece in window.in_pieces(20)] == [range(0, 2), range(2, 4), range(4, 5)]
    assert len(list(window.in_pieces(1))) == 5
