"""Programs whose workers are processes."""
