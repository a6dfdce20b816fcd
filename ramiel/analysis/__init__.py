"""Cost analyses of a task graph: critical path, bounds, simulated execution."""
