"""Ends of processes with a program in them.

    python test/unit/support/process_ends.py --times 500 [KIND ...]

Each child is a fork of a process that has compiled a model. It calls the model, and ends by the end
of its script. A line a kind says with which codes the children ended. With --fresh, each child
compiles the model itself; with --here, this process does, and ends so.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import onnx
import torch
from onnx import parser

import ramiel
from ramiel.api import CompiledProgram

MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
ends (float[1, 8, 16, 16] x) => (y) {
  shape = Constant <value_ints = [8, 8, 3, 3]> ()
  w = ConstantOfShape <value = float[1] {0.01}> (shape)
  a = Conv <pads = [1, 1, 1, 1]> (x, w)
  b = Conv <pads = [1, 1, 1, 1]> (x, w)
  c = Conv <pads = [1, 1, 1, 1]> (a, w)
  d = Conv <pads = [1, 1, 1, 1]> (b, w)
  e = Relu (c)
  f = Sigmoid (d)
  y = Concat <axis = 1> (e, f, a, b)
}
"""


def model() -> onnx.ModelProto:
    return parser.parse_model(MODEL)


def _again_and_again(call: Callable[[torch.Tensor], object], x: torch.Tensor) -> None:
    while True:
        try:
            call(x)
        except RuntimeError:
            time.sleep(0.001)


def _behind(*calls: Callable[[torch.Tensor], object]) -> None:
    for call in calls:  # in their threads, torch is called by the program only
        given = (call, torch.ones(1, 8, 16, 16))
        threading.Thread(target=_again_and_again, args=given, daemon=True).start()
    time.sleep(0.03)


def _never_closed(p: CompiledProgram) -> None:
    pass


def _closed_twice(p: CompiledProgram) -> None:
    p.close()
    p.close()


def _error(p: CompiledProgram) -> None:
    raise ValueError("an error of the program's user")


def _exit_in_a_thread(p: CompiledProgram) -> None:
    thread = threading.Thread(target=lambda: sys.exit(3))
    thread.start()
    thread.join()


def _threads_calling(p: CompiledProgram) -> None:
    _behind(p, p)


def _threads_calling_serial(p: CompiledProgram) -> None:
    _behind(p.serial, p.serial)


def _exit_while_called(p: CompiledProgram) -> None:
    _behind(p)
    sys.exit(5)


def _end_at_once(p: CompiledProgram) -> None:
    _behind(p)
    os._exit(7)


def _collected(p: CompiledProgram) -> None:
    del p
    gc.collect()


def _interrupt(p: CompiledProgram) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    while True:
        p(torch.ones(1, 8, 16, 16))


ENDS: dict[str, tuple[Callable[[CompiledProgram], None], int]] = {
    "never closed": (_never_closed, 0),
    "closed twice": (_closed_twice, 0),
    "error": (_error, 1),
    "exit in a thread": (_exit_in_a_thread, 0),
    "threads calling": (_threads_calling, 0),
    "threads calling serial": (_threads_calling_serial, 0),
    "exit while called": (_exit_while_called, 5),
    "end at once": (_end_at_once, 7),
    "collected": (_collected, 0),
    "interrupt": (_interrupt, -signal.SIGINT),
}
"""What happens, and the code that the process is to end with."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--times", type=int, default=500)
    options.add_argument("--fresh", action="store_true")
    options.add_argument("--here", action="store_true")
    options.add_argument("kinds", nargs="*", default=[*ENDS], metavar="KIND")
    given = options.parse_args()
    if given.here:
        end(compiled(), given.kinds[0])
        return
    gc.freeze()  # what was imported: a child would else copy all of it, to collect it at its end
    programs = [] if given.fresh else [compiled()]
    failed = False
    for kind in given.kinds:
        codes: Counter[int] = Counter()
        for _ in range(given.times):
            pid = os.fork()
            if not pid:
                sys.stderr = open(os.devnull, "w")  # noqa: SIM115  (to the end of the process)
                end(programs.pop() if programs else compiled(), kind)
                return
            codes[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
        print(f"{kind}: {dict(codes)}", flush=True)
        failed = failed or codes.keys() != {ENDS[kind][1]}
    sys.exit(failed)


def compiled() -> CompiledProgram:
    return ramiel.compile(model(), workers=2, schedule="linear")


def end(program: CompiledProgram, kind: str) -> None:
    program(torch.ones(1, 8, 16, 16))
    ENDS[kind][0](program)


if __name__ == "__main__":
    main()
