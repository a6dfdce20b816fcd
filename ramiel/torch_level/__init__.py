"""Analyses and rewriting of the `torch` dialect: tasks, work, kernels, placements, patterns."""
