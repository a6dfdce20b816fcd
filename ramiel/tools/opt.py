"""ramiel-opt: passes over textual IR, one after the other.

xDSL's driver with our dialects and passes, `.onnx` files as input, MLIR's pipeline syntax,
weights beside the text, and one-line errors.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import IO

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass, PassPipeline
from xdsl.utils.exceptions import ArgSpecParseError, DiagnosticException, ParseError
from xdsl.xdsl_opt_main import xDSLOptMain

from ramiel.console.refusals import telling
from ramiel.errors import CompileError

SEPARATOR = b"// -----"


class RamielOpt(xDSLOptMain):
    def __init__(self, args: Sequence[str] | None = None) -> None:
        super().__init__("Runs passes over the IR of Ramiel.", args)
        self.stored: set[str] = set()
        self.source: Path | None = None
        """The file that weights were read from."""
        self.dump = None
        if self.args.dump_ir:
            from ramiel.tools.dump import IrDump

            self.dump = IrDump(Path(self.args.dump_ir))

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        arg_parser.add_argument(
            "--pass-pipeline",
            metavar="PIPELINE",
            help="like -p; MLIR's builtin.module(...) around the passes is allowed",
        )
        arg_parser.add_argument(
            "--dump-ir", metavar="DIR", help="write the IR before the first and after each pass"
        )
        arg_parser.add_argument(
            "--weights", metavar="FILE", help="the file that holds the weights (.safetensors)"
        )
        arg_parser.add_argument(
            "--show-refusals",
            action="store_true",
            help="say on stderr why patterns did not apply to near matches",
        )
        arg_parser.add_argument(
            "--debug", action="store_true", help="show the Python traceback of an error"
        )

    def register_all_frontends(self) -> None:
        super().register_all_frontends()
        parse_text = self.available_frontends["mlir"]

        def parse_mlir(stream: IO[bytes]) -> ModuleOp:
            module = parse_text(stream)
            self._bind(module)
            return module

        self.available_frontends["mlir"] = parse_mlir
        for suffix in ("onnx", "onnxtext", "onnxtxt"):
            self.available_frontends[suffix] = self._parse_onnx

    def setup_pipeline(self) -> None:
        given = self.args.pass_pipeline
        if given is not None and self.args.passes:
            raise CompileError("give either -p or --pass-pipeline")
        spec = strip_module(given) if given is not None else self.args.passes
        try:
            self.pipeline = PassPipeline.parse_spec(self.available_passes, spec, self._after_pass)
        except ArgSpecParseError as error:
            raise CompileError(f"the pipeline is malformed: {error}") from error
        except ValueError as error:
            raise CompileError(f"{error}; `ramiel passes` lists the passes") from error

    def run(self) -> None:
        with telling(_note) if self.args.show_refusals else nullcontext():
            self._run()

    def _run(self) -> None:
        """Processes each chunk of the input. With --verify-diagnostics each must fail."""
        suffix = self._suffix()
        data = self._read()
        chunks = data.split(SEPARATOR) if self.args.split_input_file else [data]
        output: list[str] = []
        line = 0
        for chunk in chunks:
            self.source = None
            try:
                module = self.available_frontends[suffix](
                    BytesIO(b"\n" * line + chunk.lstrip(b"\n"))
                )
                self.stored = _names_with_bytes(module)
                self.pipeline.apply(self.ctx, module)
                output.append(self._text(module))
            except (CompileError, DiagnosticException, ParseError) as error:
                if isinstance(error, ParseError) and not self.args.parsing_diagnostics:
                    raise
                if not isinstance(error, ParseError) and not self.args.verify_diagnostics:
                    raise
                output.append(f"{message_of(error)}\n")
            else:
                if self.args.verify_diagnostics:
                    raise CompileError(f"the input at line {line + 1} has no error to diagnose")
            line += chunk.count(b"\n")
        if self.dump is not None:
            self.dump.close()
        self._write("// -----\n".join(output))

    def _after_pass(
        self, before: ModulePass | None, module: ModuleOp, after: ModulePass | None
    ) -> None:
        from ramiel.dialects.verify import verify_module

        if not self.args.disable_verify:
            verify_module(module)
            module.verify()
        if self.dump is not None:
            self.dump(before.name if before else "input", module)
        if self.args.print_between_passes and before is not None and after is not None:
            print(f"// IR after {before.name}\n{module!s}\n")

    # --- input and output ---

    def _suffix(self) -> str:
        if self.args.frontend:
            return self.args.frontend
        suffix = Path(self.args.input_file or "-.mlir").suffix.removeprefix(".")
        if suffix not in self.available_frontends:
            known = ", ".join(f".{s}" for s in self.available_frontends)
            raise CompileError(f"the input must be one of {known}", file=self.args.input_file)
        return suffix

    def _read(self) -> bytes:
        if self.args.input_file is None:
            return sys.stdin.buffer.read()
        try:
            return Path(self.args.input_file).read_bytes()
        except OSError as error:
            reason = (error.strerror or "cannot be read").lower()
            raise CompileError(f"cannot be read: {reason}", file=self.args.input_file) from error

    def _parse_onnx(self, stream: IO[bytes]) -> ModuleOp:
        from ramiel.frontend.importer import import_model

        if self.args.input_file is None:
            return import_model(stream.read())
        self.source = Path(self.args.input_file)
        return import_model(self.source)

    def _bind(self, module: ModuleOp) -> None:
        """Gives the weights their bytes, if the module or the command line names a file."""
        if not (self.args.weights or "onnx.weights" in module.attributes):
            return
        from ramiel.weights.store import bind_weights

        folder = Path(self.args.input_file).parent if self.args.input_file else Path()
        given = Path(self.args.weights) if self.args.weights else None
        self.source = bind_weights(module, folder, given)

    def _text(self, module: ModuleOp) -> str:
        if self.args.target == "mlir":
            self._keep_weights(module)
        text = self.output_resulting_program(module)
        return text.rstrip("\n") + "\n" if text else text

    def _keep_weights(self, module: ModuleOp) -> None:
        """Writes weights beside the text. Text on stdout names the file that they came from, and a
        note says how to read it again."""
        from ramiel.weights.store import WEIGHTS, lies_in, save_weights

        weights = _names_with_bytes(module)
        module.attributes.pop(WEIGHTS, None)
        if self.args.output_file:
            text = Path(self.args.output_file)
            save_weights(module, text.with_suffix(".safetensors"), text.parent)
            return
        if self.source is not None and weights & self.stored:
            path = os.path.relpath(self.source)
            module.attributes[WEIGHTS] = StringAttr(path)
            if not lies_in(Path(), self.source):
                _note(
                    f"the weights are in {path}, which is not in this folder: to read the text "
                    f"again, give --weights {shlex.quote(path)}, or write both with -o FILE.mlir"
                )
        new = weights - self.stored
        if new:
            _note(
                f"{len(new)} weight(s) made by passes are only named in the text; "
                "-o FILE writes them beside it"
            )

    def _write(self, text: str) -> None:
        if self.args.output_file is None:
            sys.stdout.write(text)
            return
        from ramiel.weights.store import replacing

        with replacing(Path(self.args.output_file)) as temporary:
            temporary.write_text(text)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def _names_with_bytes(module: ModuleOp) -> set[str]:
    """The weights of a module whose bytes are known."""
    from ramiel.dialects.onnx.weights import weights_of

    return {name for name, w in weights_of(module).items() if w.data.load is not None}


def strip_module(pipeline: str) -> str:
    """MLIR's `builtin.module(a,b)` as xDSL's `a,b`."""
    inner = pipeline.strip()
    if inner.startswith("builtin.module(") and inner.endswith(")"):
        return inner.removeprefix("builtin.module(")[:-1]
    return inner


def message_of(error: Exception) -> str:
    """An error as shown to the user."""
    return f"error: {error}" if isinstance(error, CompileError) else str(error)


def run_tool(tool: Callable[[], None], debug: bool) -> int:
    """Runs a command: an expected error is one line and exit code 1."""
    try:
        tool()
    except (CompileError, ParseError, DiagnosticException) as error:
        if debug:
            raise
        print(message_of(error), file=sys.stderr)
        return 1
    except BrokenPipeError:
        # The reader has closed the pipe; Python would fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def main() -> None:
    sys.exit(run_tool(lambda: RamielOpt().run(), "--debug" in sys.argv))


if __name__ == "__main__":
    main()
