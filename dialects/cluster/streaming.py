"""The attributes of a program that say how requests that follow each other are computed.

    streaming = "pipeline", at_a_time = 2 : i64, in_flight = 3 : i64,
    interval_us = 5012.5 : f64, latency_us = 15037.5 : f64

`in_flight` requests are taken ahead of the results asked for, of which `at_a_time` are computed at
a time. The last two are simulated: the time from one result to the next, and that from when a
request is taken to its result.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from xdsl.dialects.builtin import FloatAttr, IntegerAttr, StringAttr
from xdsl.ir import Attribute
from xdsl.utils.exceptions import VerifyException


class Way(StrEnum):
    """How requests are computed."""

    SERIAL = "serial"
    """Each by the serial program, on one thread, also if operations of it are on several."""
    CALLS = "calls"
    """Each by a call of all workers."""
    PIPELINE = "pipeline"
    """By workers that go from request to request, without waiting for the whole."""
    BATCHES = "batches"
    """As the samples of batches."""


NAMES = ("streaming", "at_a_time", "in_flight", "interval_us", "latency_us")


def verify_streaming(
    attributes: Mapping[str, Attribute], device: str, batch: int, wide: bool
) -> None:
    """Checks what a program says of streaming, if it says anything. `wide` is whether operations of
    it are on several threads. Raises VerifyException."""
    given = [name for name in NAMES if name in attributes]
    if not given:
        return
    if len(given) < len(NAMES):
        missing = next(name for name in NAMES if name not in attributes)
        raise VerifyException(f"{given[0]} is given, but not {missing}")
    if device != "cpu":
        raise VerifyException(f"programs for {device} have no way to stream")
    way = attributes["streaming"]
    if not isinstance(way, StringAttr) or way.data not in tuple(Way):
        raise VerifyException(f"there is no way {way} to stream; there are {', '.join(Way)}")
    at_a_time, in_flight = (_count(attributes, name) for name in ("at_a_time", "in_flight"))
    for name in ("interval_us", "latency_us"):
        time = attributes[name]
        if not isinstance(time, FloatAttr) or not time.value.data >= 0:
            raise VerifyException(f"{name} must be a time of at least 0")
    if in_flight < at_a_time:
        raise VerifyException(f"{at_a_time} requests at a time, but {in_flight} in flight")
    if way.data == Way.BATCHES and at_a_time != batch:
        raise VerifyException(f"batches of {at_a_time} requests in a program for {batch} sample(s)")
    if way.data == Way.PIPELINE and (wide or batch > 1):
        raise VerifyException("the workers of a pipeline compute one sample, each on one thread")


def _count(attributes: Mapping[str, Attribute], name: str) -> int:
    count = attributes[name]
    if not isinstance(count, IntegerAttr) or count.value.data < 1:
        raise VerifyException(f"{name} must be a number of requests, at least 1")
    return count.value.data
