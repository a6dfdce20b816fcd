"""ramiel serve: which models it serves under which names, how it ends, and one line for each
mistake."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

import numpy as np
import pytest
from commands import run
from onnx.parser import parse_model
from served import Client, affine, arrays_of, given, wait_until

from ramiel.errors import CompileError
from ramiel.serving.models import Source, sources_of
from ramiel.serving.server import bind

X = given("x", np.ones((1, 4)))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "m.onnx"
    path.write_bytes(affine().SerializeToString())
    return path


@pytest.fixture
def port() -> int:
    """One that is free."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def is_ready(client: Client) -> bool:
    try:
        return client.ask("/v2/health/ready").status == 200
    except OSError:
        return False


def served(
    folder: Path, port: int, use: Callable[[Client], None], *arguments: object
) -> CompletedProcess[str]:
    """The command, which is sent SIGTERM once a client has been `use`d."""
    client, failures = Client(port), list[BaseException]()

    def meanwhile() -> None:
        try:
            wait_until(lambda: is_ready(client))
            use(client)
        except BaseException as failure:
            failures.append(failure)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: None)
    thread = threading.Thread(target=meanwhile)
    thread.start()
    try:
        result = run("serve", *arguments, "--port", port, cwd=folder)
    finally:
        thread.join()
        signal.signal(signal.SIGTERM, before)
    if failures:
        raise failures[0]
    return result


def test_sigterm(model: Path, port: int) -> None:
    """What was accepted is answered, though the model's file has changed, and gone; then the
    command ends."""
    answers = list[object]()

    def use(client: Client) -> None:
        model.write_bytes(b"garbage")
        model.unlink()

        def ask() -> None:
            answers.append(arrays_of(client.infer("m", X))["y"].tolist())

        thread = threading.Thread(target=ask)
        thread.start()
        wait_until(lambda: client.metric("ramiel_waiting_requests", model="m") == 1)
        asking.append(thread)

    asking: list[threading.Thread] = []
    result = served(model.parent, port, use, model.name, "--max-delay-us", 500_000)
    asking[0].join()
    assert result.returncode == 0, result.stderr
    assert answers == [[[4.0] * 4]]
    assert f"serving   http://127.0.0.1:{port}/v2" in result.stdout
    assert "model     m/1, from m.onnx" in result.stdout
    assert '"POST /v2/models/m/infer HTTP/1.1" 200' in result.stdout


def test_names_and_versions_of_models(tmp_path: Path) -> None:
    for place in ("models/a/1", "models/a/12", "models/b/2", "models/b/not a version"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "model.onnx").touch()
    odd = tmp_path / "d=1.onnx"
    odd.touch()
    given = [str(tmp_path / "models"), "dir/c.onnx", "e=f=g.onnx", "e/2=f.onnx", str(odd)]
    assert [str(source) for source in sources_of(given)] == [
        "a/1",
        "a/12",
        "b/2",
        "c/1",
        "e/1",
        "e/2",
        "d=1/1",
    ]
    assert sources_of(["e=f=g.onnx"]) == [Source("e", 1, Path("f=g.onnx"))]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["a.onnx", "dir/a.onnx"], "a.onnx and dir/a.onnx are both a, version 1: give one another"),
        (["a/2=b.onnx", "a/02=c.onnx"], "b.onnx and c.onnx are both a, version 2"),
        (["a/b/c=m.onnx"], "the version 'b/c' is no positive whole number"),
        (["a/0=m.onnx"], "the version '0' is no positive whole number"),
        (["=m.onnx"], "the name '' names no model"),
        (["..=m.onnx"], "the name '..' names no model"),
        (["a\\b=m.onnx"], "has a slash"),
        (["a\nb=m.onnx"], "cannot be printed"),
    ],
)
def test_names_that_are_refused(arguments: list[str], reason: str) -> None:
    with pytest.raises(CompileError) as caught:
        sources_of(arguments)
    assert reason in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_without_models(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match=r"NAME/VERSION/model\.onnx, this has none"):
        sources_of([str(tmp_path)])


def refused(result: CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_a_port_in_use(model: Path, port: int) -> None:
    with bind("127.0.0.1", port):
        told = refused(run("serve", model, "--port", port, cwd=model.parent))
    assert f"cannot listen on 127.0.0.1, port {port}: address already in use" in told


def test_mistakes(model: Path, tmp_path: Path) -> None:
    maps = parse_model(
        """<ir_version: 8, opset_import: ["" : 17]> lists (float[2] x) => (seq(float[2]) y)
        { y = SequenceConstruct (x) }"""
    )
    (tmp_path / "lists.onnx").write_bytes(maps.SerializeToString())
    (tmp_path / "garbage.onnx").write_bytes(b"garbage")
    for arguments, reason in (
        (["none.onnx"], "none.onnx: cannot be read: no such file or directory"),
        (["garbage.onnx"], "garbage.onnx: is not an ONNX model"),
        (["lists.onnx"], 'lists.onnx: output "y" is no plain tensor, which the protocol cannot'),
        ([model.name, f"x/1={model.name}", f"x={model.name}"], "are both x, version 1"),
        ([model.name, "--timeout", 0], "--timeout 0: it must be more than 0"),
        ([model.name, "--max-request", "big"], "--max-request big: expected a size"),
        ([model.name, "--host", "no.such.host.invalid"], "cannot listen on no.such.host.invalid"),
        ([model.name, "--objective", "speed"], "there is no objective 'speed'"),
    ):
        assert reason in refused(run("serve", *arguments, "--port", 0, cwd=tmp_path))


def test_without_the_packages(model: Path) -> None:
    with mock.patch.dict(sys.modules, {"fastapi": None}):
        told = refused(run("serve", model, cwd=model.parent))
    assert told == "error: serving needs fastapi: pip install 'ramiel[serve]'\n"
