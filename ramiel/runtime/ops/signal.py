"""Fourier transforms of tensors whose last dimension holds real and imaginary parts."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ramiel.runtime.numbers import integer


def _signal(x: Tensor) -> Tensor:
    """A tensor [.., 1] as real numbers [..], or [.., 2] as complex ones."""
    x = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    return x.squeeze(-1) if x.shape[-1] == 1 else torch.view_as_complex(x.contiguous())


def _transform(x: Tensor, length: int, axis: int, onesided: bool) -> Tensor:
    """The spectrum of real or complex signals; `onesided` leaves out its second half."""
    if onesided and not x.is_complex():
        return torch.fft.rfft(x, length, axis)
    spectrum = torch.fft.fft(x, length, axis)
    return spectrum.narrow(axis, 0, length // 2 + 1) if onesided else spectrum


def dft(
    x: Tensor,
    length: int | Tensor | None = None,
    axis: int | Tensor = -2,
    inverse: bool = False,
    onesided: bool = False,
) -> Tensor:
    """The discrete Fourier transform of x [.., 1 or 2] along an axis, as [.., 2]; the inverse of
    one side is real, [.., 1]. Signals are cut or padded with zeros to a length."""
    dim = integer(axis) % x.ndim
    signal = _signal(x)
    back = inverse and onesided
    size = 2 * (signal.shape[dim] - 1) if back else signal.shape[dim]
    size = size if length is None else integer(length)
    if not x.numel():
        shape = [*signal.shape, 1 if back else 2]
        shape[dim] = _frequencies(size, onesided and not back)
        return x.new_zeros(shape)
    if back:
        return torch.fft.irfft(signal, size, dim).unsqueeze(-1).to(x.dtype)
    made = torch.fft.ifft(signal, size, dim) if inverse else _transform(signal, size, dim, onesided)
    return torch.view_as_real(made.resolve_conj()).to(x.dtype)


def stft(
    x: Tensor,
    step: int | Tensor,
    window: Tensor | None = None,
    length: int | Tensor | None = None,
    onesided: bool = True,
) -> Tensor:
    """The spectra [batch, frame, frequency, 2] of the frames of signals [batch, time, 1 or 2], or
    [batch, time] real ones, one every `step` samples, each multiplied by the window."""
    signal = _signal(x.unsqueeze(-1) if x.ndim == 2 else x)
    whole = signal.shape[1] if window is None else window.shape[0]
    size = whole if length is None else integer(length)
    frames = signal.unfold(1, size, integer(step))
    if window is not None:
        frames = frames * window.to(frames.real.dtype)
    if not frames.numel():
        return x.new_zeros(*frames.shape[:2], _frequencies(size, onesided), 2)
    return torch.view_as_real(_transform(frames, size, -1, onesided)).to(x.dtype)


def _frequencies(size: int, onesided: bool) -> int:
    """How many a spectrum has. Libraries refuse empty signals, whose result still has a shape."""
    return size // 2 + 1 if onesided else size


def mel_weight_matrix(
    bins: int | Tensor,
    length: int | Tensor,
    rate: int | Tensor,
    lowest: float | Tensor,
    highest: float | Tensor,
    dtype: torch.dtype,
) -> Tensor:
    """The weights [length // 2 + 1, bins] of a spectrum's frequencies in triangular bands, whose
    edges are at equal distances on the mel scale between two frequencies in Hz."""
    count, size = integer(bins), integer(length)
    low, high = (2595 * math.log10(1 + float(hertz) / 700) for hertz in (lowest, highest))
    mel = low + torch.arange(count + 2, dtype=torch.float64) * ((high - low) / (count + 2))
    hertz = 700 * torch.expm1(mel / 2595 * math.log(10))
    edges = torch.floor((size + 1) * hertz / integer(rate))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    place = torch.arange(size // 2 + 1, dtype=torch.float64).unsqueeze(1)
    rising = torch.where(
        centre == left, (place == centre).double(), (place - left) / (centre - left)
    )
    falling = (right - place) / (right - centre)
    weights = torch.where((place >= left) & (place <= centre), rising, 0.0)
    weights = torch.where((place >= centre) & (place < right), falling, weights)
    return weights.to(dtype)
