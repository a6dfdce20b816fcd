"""What all rooms say to the user while they work."""
