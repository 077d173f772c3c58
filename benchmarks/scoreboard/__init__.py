"""The scoreboard of the optimization solvers: every solver and its rivals at equal wall-clock."""
