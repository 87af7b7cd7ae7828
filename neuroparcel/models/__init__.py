"""Plain Pyro models: the multi-session network model and toys with exact answers."""
