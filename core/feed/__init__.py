"""The event log: what happened, in commit order, for everyone who follows it."""
