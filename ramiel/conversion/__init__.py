"""Conversions from one level of IR to the next."""
