"""Schedulers: from a task graph to the ordered tasks of each worker."""
