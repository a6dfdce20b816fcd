"""Runs and measures operations on this machine.

Nothing is imported here: some of it needs torch, which takes two seconds.
"""
