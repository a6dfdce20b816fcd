"""The PyTorch backend: prints scheduled modules as Python."""
