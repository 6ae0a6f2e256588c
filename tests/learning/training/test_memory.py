import pytest
import torch
from torch import nn

from learning.training.memory import advice, is_out_of_memory


def hungry(x):
    """8 to the power of the rows floats: 16 rows are a petabyte, 8 rows 64 MB."""
    torch.empty(8 ** len(x))
    return (x * 2).sum()


def asked(batch, loss_of):
    network = nn.Linear(1, 1)
    return advice(network, torch.optim.AdamW(network.parameters()), batch, loss_of)


def test_out_of_memory_is_known_by_what_torch_and_numpy_raise():
    with pytest.raises(RuntimeError) as raised:
        hungry(torch.zeros(16))
    assert is_out_of_memory(raised.value)
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_the_size_that_fits_is_found_by_trying():
    said = asked({"x": torch.zeros(16, requires_grad=True)}, lambda part: hungry(part["x"]))
    assert "A step of 16 images or pairs is too large; 8 fit (measured)" in said
    assert "--accumulate 2" in said


def test_data_that_cannot_be_halved_get_advice_without_a_figure():
    def loss_of(part):
        raise ValueError("the rows do not go together")

    said = asked([torch.zeros(16)], loss_of)
    assert "measured" not in said
    assert "the batch, 16 images or pairs" in said
