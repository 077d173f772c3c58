"""What every other package stands on: errors and other values that need only the standard library."""
