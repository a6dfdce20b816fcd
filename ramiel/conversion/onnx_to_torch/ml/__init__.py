"""The operators of the domain ai.onnx.ml."""
