"""Replay: a program that has run for some shapes, run again without Python.

`tape.py` notes what the workers of a run call, `layout.py` says on what memory (`memory.py`: where
values lie), `plan.py` prepares steps (`builder.py`), and native/ replays them. Where something
cannot be noted, `stop.py` says what is left to do (`continuation.py`), and `split.py` goes on there
in Python.
"""
