"""The frontend: .onnx files to the `onnx` dialect."""
