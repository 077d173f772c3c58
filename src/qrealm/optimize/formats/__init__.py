"""Files that problems are read from: one file per format, one row each in `qrealm.optimize.formats.read`."""
