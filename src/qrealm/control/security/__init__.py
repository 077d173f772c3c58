"""Keys and sealed things."""
