"""Jobs: long work that cannot be lost. The row is truth; the queue only wakes workers."""
