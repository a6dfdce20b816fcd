"""Messages to the user from anywhere in the compiler."""
