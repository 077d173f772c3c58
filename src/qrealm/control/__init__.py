"""Control: the engine that takes jobs, and the calls that faces make."""
