"""Import of PyTorch's own graphs to the `torch` dialect."""
