"""Programs that run the peers, each in an environment of its own. Nothing of Overt is imported there."""
