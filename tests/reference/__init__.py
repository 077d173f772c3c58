"""A slow simulator that is easy to see right. Every backend is tested against it; nothing here imports a
backend.

`ops` has the matrix of every kernel op from textbook formulas, `dense` applies them to a NumPy array,
`random_circuits` draws circuits over all of them. `groups` has the registers of containers.
"""
