"""Bearer tokens: only their hashes are kept."""
