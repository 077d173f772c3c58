"""Networks of entangled pairs: keys that two ends share."""
