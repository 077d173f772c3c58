"""Full state vector on the processor's cores, in the compiled kernel."""
