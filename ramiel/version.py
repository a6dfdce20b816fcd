"""The version of Ramiel, also printed in emitted programs."""

__version__ = "0.1.0"
