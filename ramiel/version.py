"""The version of Ramiel, which emitted programs name."""

__version__ = "0.1.0"
