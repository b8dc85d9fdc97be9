"""Model weights: what is on the volume, and how it gets there."""
