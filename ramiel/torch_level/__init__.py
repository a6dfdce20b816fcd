"""What reads and rewrites the torch level: tasks, work, kernels, placements, patterns."""
