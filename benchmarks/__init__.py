"""qrealm beside other state-vector simulators, on the same circuits, on this machine, in one run.

`cases` has the circuits, `peers` one adapter per simulator, `goals.toml` what qrealm sets out to reach,
`case_process` the timing of one circuit, `limits` what the machine can do. `python -m benchmarks` runs it
all.
"""
