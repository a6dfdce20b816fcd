"""One level to the next."""
