"""Faults by seed against the real processes, and the invariants that must survive them."""
