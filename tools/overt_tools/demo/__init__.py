"""The demonstration: a whole deployment, from a new force to a verified erasure certificate, on one machine."""
