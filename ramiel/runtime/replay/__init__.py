"""Replay: a program that has run for some shapes, run again without Python.

`tape.py` notes what the workers of a run call, `plan.py` prepares it (`memory.py` says where values
lie), and native/ replays it.
"""
