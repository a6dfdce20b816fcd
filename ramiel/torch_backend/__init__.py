"""The backend of `torch.compile(model, backend="ramiel")`."""

from ramiel.torch_backend.backend import graphs, ramiel

__all__ = ["graphs", "ramiel"]
