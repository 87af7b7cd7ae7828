"""The command line of neuroparcel: parse, one call into the package, print."""
