"""Adapters to databases, queues, hubs and clusters. They know nothing of the domain's nouns."""
