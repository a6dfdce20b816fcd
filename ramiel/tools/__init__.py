"""The command line tools: ramiel-opt and ramiel."""
