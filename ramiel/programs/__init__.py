"""Compiled programs: in this process, as files, and measured against each other."""
