"""The operators of ONNX's own domain and its previews, one module per family."""
