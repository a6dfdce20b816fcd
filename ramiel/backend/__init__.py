"""The backends: what a schedule is printed as."""
