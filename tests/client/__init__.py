"""Tests of the SDK and the command line, against a double on loopback that validates its input."""
