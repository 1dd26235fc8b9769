"""The contract everyone shares: documents, alerts, topics, limits. Pure data and pure computing, no I/O."""
