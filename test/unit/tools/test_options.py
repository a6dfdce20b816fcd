"""How the commands read sizes and shapes, and what they offer."""

from __future__ import annotations

import pytest

from ramiel.dialects.cluster.attributes import Executor
from ramiel.errors import CompileError
from ramiel.pipelines import EXECUTORS, Options, pipeline
from ramiel.runtime.distributed.links import Measured
from ramiel.tools.options import link_of, shapes_of, size_of


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300000000", 300_000_000),
        ("300MB", 300_000_000),
        ("300 mb", 300_000_000),
        ("0.3G", 300_000_000),
        ("256MiB", 256 << 20),
        ("1k", 1000),
        ("7B", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-5MB", "1e3", "1,5G", "5 apples", "nan", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(CompileError, match="expected a size"):
        size_of(text)


def test_shapes() -> None:
    assert shapes_of(["x=1x3x224x224", "a=b=2", "scalar="]) == {
        "x": (1, 3, 224, 224),
        "a=b": (2,),
        "scalar": (),
    }


@pytest.mark.parametrize("text", ["x", "1x3", "x=axb", "x=1x-3", "x=1x", "x=1.5", "x=²"])
def test_what_is_no_shape(text: str) -> None:
    with pytest.raises(CompileError, match="expected NAME"):
        shapes_of([text])


def test_executors_are_those_of_the_cluster_dialect() -> None:
    """The pipelines name them without importing the dialects. Streams are chosen by the device."""
    assert sorted(EXECUTORS) == sorted({*Executor} - {Executor.STREAMS})


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("10Gbit,30us", (30.0, 1250.0)),
        ("1Gbit/s, 0.1ms", (100.0, 125.0)),
        ("100Mbit,2µs", (2.0, 12.5)),
        ("10Gbit,30us,15us", (30.0, 1250.0, 15.0)),
        ("10Gbit, 30us, 0us, 40Gbit", (30.0, 1250.0, 0.0, 5000.0)),
        (str(Measured(8.25, 1125.0, 12.5, 6000.0)), (8.25, 1125.0, 12.5, 6000.0)),
    ],
)
def test_links(text: str, link: tuple[float, ...]) -> None:
    assert link_of(text) == pytest.approx(link)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10Gbit",
        "0Gbit,1us",
        "10Gbit,30",
        "fast,1us",
        "-1Gbit,1us",
        "1Gbit,1us,1Gbit",
        "1Gbit,1us,1us,0Gbit",
        "1Gbit,1us,1us,1Gbit,1us",
    ],
)
def test_malformed_links(text: str) -> None:
    with pytest.raises(CompileError, match="expected bandwidth and latency"):
        link_of(text)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(objective="speed"), "there are latency, throughput"),
        (Options(latency_limit=5.0), "is for --objective throughput"),
        (Options(objective="throughput", latency_limit=0.0), "it must be more than 0"),
        (Options(objective="throughput", latency_limit=float("nan")), "it must be more than 0"),
        (Options(objective="throughput", schedule="linear"), "chooses schedule and batch itself"),
        (Options(objective="throughput", batch=4), "chooses schedule and batch itself"),
        (Options(objective="throughput", tune=True), "chooses schedule and batch itself"),
        (Options(objective="throughput", device="cuda"), "is for CPUs"),
        (Options(schedule="pipeline", batch=2), "is for one sample"),
    ],
)
def test_objectives_that_do_not_go_with_the_rest(options: Options, told: str) -> None:
    with pytest.raises(CompileError, match=told):
        pipeline(options)


def test_the_objective_reaches_the_scheduler_and_the_gpu_has_no_say_of_requests() -> None:
    passes = dict(pipeline(Options(2, objective="throughput", latency_limit=20.0)))
    assert passes["cluster-auto"]["objective"] == "throughput"
    assert passes["cluster-auto"]["latency-limit"] == 20.0
    assert passes["cluster-requests"] == {"workers": 2}
    assert "cluster-requests" not in dict(pipeline(Options(device="cuda")))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (Options(executor="distributed", ranks=2, link=(1.0,)), "a link of 1 numbers"),
        (Options(ranks=2), "several ranks and a link need --executor distributed"),
        (Options(executor="distributed", ranks=0), "0 ranks: at least 1"),
        (Options(executor="distributed", ranks=2, tune=True), "of one process"),
        (Options(executor="distributed", device="cuda"), "streams, not distributed"),
    ],
)
def test_ranks_that_cannot_be(options: Options, told: str) -> None:
    with pytest.raises(CompileError, match=told):
        pipeline(options)
