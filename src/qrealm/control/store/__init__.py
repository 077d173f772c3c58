"""What outlives a process: one database, SQLite unless another is named."""
