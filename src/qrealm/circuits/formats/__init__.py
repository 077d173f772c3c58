"""One file per format, in and out. `qrealm.circuits.read` holds the registry."""
