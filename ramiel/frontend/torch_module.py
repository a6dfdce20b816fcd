"""Exports a torch.nn.Module as an ONNX model, with PyTorch's own exporter."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import onnx

from ramiel.errors import CompileError, shorten

if TYPE_CHECKING:
    from torch import nn


def model_of_module(
    module: nn.Module, example_inputs: Sequence[Any] | Mapping[str, Any], dynamic_shapes: Any = None
) -> onnx.ModelProto:
    """The ONNX model of a module in evaluation mode; the module's own mode is restored.

    `example_inputs` are its arguments, in order or by name; `dynamic_shapes` is that of
    torch.export.export(), and without it all dimensions are those of the examples.

    Raises CompileError if onnxscript is not installed, or the module cannot be exported, and
    TypeError for arguments that the module does not take.
    """
    try:
        import onnxscript  # noqa: F401  # pyright: ignore[reportUnusedImport]
    except ImportError as error:
        raise CompileError(
            "to compile a torch.nn.Module, PyTorch needs onnxscript: pip install 'ramiel[export]'"
        ) from error
    import torch

    signature = inspect.signature(module.forward)
    by_name = isinstance(example_inputs, Mapping)
    arguments = signature.bind(**example_inputs) if by_name else signature.bind(*example_inputs)
    training = module.training
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter warns about its own dependencies
            program = torch.onnx.export(
                module,
                args=arguments.args,
                kwargs=arguments.kwargs or None,
                dynamo=True,
                dynamic_shapes=dynamic_shapes,
                verbose=False,
            )
    except Exception as error:  # torch.export fails in many ways
        line = str(error).strip().splitlines()
        reason = shorten(line[0], 300) if line else type(error).__name__
        raise CompileError(f"PyTorch cannot export {type(module).__name__}: {reason}") from error
    finally:
        module.train(training)
    assert program is not None
    model = program.model_proto
    model.graph.name = type(module).__name__
    return model
