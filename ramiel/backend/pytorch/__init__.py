"""The PyTorch backend: the lowering table, the evaluator and the printer."""
