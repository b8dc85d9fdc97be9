"""The state of this installation as a whole."""
