"""The registry of atlases, regions and target sets: data only, read by neuroparcel.io.registry."""
