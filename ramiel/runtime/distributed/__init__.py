"""Programs whose workers are on several machines."""
