"""Refusals of patterns are told once, to those who listen, and are free for all others."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ramiel.console.refusals import patterns_of, refuse, telling


@dataclass(frozen=True)
class Node:
    title: str = '"add" (Add)'


class Untitled:
    @property
    def title(self) -> str:
        raise AssertionError("nobody asked")


def test_each_refusal_is_told_once() -> None:
    lines: list[str] = []
    with telling(lines.append), patterns_of("torch-fuse-bias"):
        refuse(Node(), "it has a bias")
        refuse(Node(), "it has a bias")
        refuse(Node('"b" (Add)'), "it has a bias")
        with patterns_of("other"):
            refuse(Node(), "it has a bias")
    assert lines == [
        'torch-fuse-bias: "add" (Add): it has a bias',
        'torch-fuse-bias: "b" (Add): it has a bias',
        'other: "add" (Add): it has a bias',
    ]


def test_nothing_is_made_where_nobody_listens() -> None:
    lines: list[str] = []
    with pytest.raises(ValueError), telling(lines.append):
        raise ValueError
    refuse(Untitled(), "it has a bias")
    assert not lines
