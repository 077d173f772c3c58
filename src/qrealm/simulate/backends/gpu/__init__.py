"""Full state vector on a graphics processor, through PyTorch."""
