"""Attention by oneDNN against PyTorch's."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ramiel.runtime import kernels
from ramiel.runtime.kernels import attention


def heads(batch: int, length: int, count: int, width: int) -> Tensor:
    """[batch, heads, length, width], as a model has it: a view of [batch, length, ...]."""
    return (
        torch.randn(batch, length, count * width).view(batch, length, count, width).transpose(1, 2)
    )


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("mask", [None, (1, 1, 1, 9), (2, 1, 7, 9), (7, 9)])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_same_as_pytorch(threads: int, mask: tuple[int, ...] | None, scale: float | None) -> None:
    q, k, v = heads(2, 7, 3, 8), heads(2, 9, 3, 8), heads(2, 9, 3, 5)
    added = None if mask is None else torch.randn(mask)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads)
        with torch.no_grad():
            ours = kernels.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=scale)
    finally:
        torch.set_num_threads(before)
    theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=added, scale=scale)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1, 9), (2, 1, 7, 9), (7, 1)])
def test_rows_that_may_look_at_nothing_are_zero(shape: tuple[int, ...]) -> None:
    q, k, v = heads(2, 7, 3, 8), heads(2, 9, 3, 8), heads(2, 9, 3, 5)
    mask = torch.randn(shape)
    mask[..., 0, :] = -torch.inf
    with torch.no_grad():
        ours = kernels.scaled_dot_product_attention(q, k, v, mask)
    theirs = F.scaled_dot_product_attention(q, k, v, mask)
    assert (theirs[0, :, 0] == 0).all()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layout", ["contiguous", "expanded", "every other"])
def test_any_layout(layout: str) -> None:
    def tensor() -> Tensor:
        if layout == "expanded":
            return torch.randn(1, 1, 6, 8).expand(2, 3, 6, 8)
        x = torch.randn(2, 3, 12, 8)
        return x[:, :, ::2] if layout == "every other" else x[:, :, :6].contiguous()

    q, k, v = tensor(), tensor(), tensor()
    ours, theirs = (
        kernels.scaled_dot_product_attention(q, k, v),
        F.scaled_dot_product_attention(q, k, v),
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_is_left_to_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other types and ranks, masks of booleans, gradients, and scores that need much memory."""
    q = torch.randn(2, 3, 6, 8)
    cases: list[tuple[Tensor, Tensor, Tensor, Tensor | None]]
    cases = [(x := q.to(torch.bfloat16), x, x, None), (q[0], q[0], q[0], None)]
    cases.append((q, q, q, torch.ones(6, 6, dtype=torch.bool)))
    for case in cases:
        ours, theirs = (
            kernels.scaled_dot_product_attention(*case),
            F.scaled_dot_product_attention(*case),
        )
        torch.testing.assert_close(ours, theirs)
    monkeypatch.setattr(attention, "_MOST", 10)
    wide = torch.randn(1, 1, 5, 4)
    ours = kernels.scaled_dot_product_attention(wide, wide, wide)
    assert torch.equal(ours, F.scaled_dot_product_attention(wide, wide, wide))
    x = q.clone().requires_grad_()
    kernels.scaled_dot_product_attention(x, q, q).sum().backward()
    assert x.grad is not None


def test_what_does_not_fit_is_pytorchs_error() -> None:
    q = torch.randn(2, 3, 6, 8)
    with pytest.raises(RuntimeError):
        kernels.scaled_dot_product_attention(q, q[..., :4], q)
