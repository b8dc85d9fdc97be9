"""The event bus: carries signals that something changed, never the change itself.

The log is in the database; what the transport loses is filled from there or told as a `Gap`.
"""
