"""The file format of weights: .safetensors files beside textual IR and beside programs.

ramiel.runtime has a reader of its own, which needs nothing else of Ramiel.
"""
