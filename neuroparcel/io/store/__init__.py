"""The connectome store: profiles of any number of subjects on disk, one block a session."""

from __future__ import annotations

from neuroparcel.io.store.build import BuildReport, build_store
from neuroparcel.io.store.check import VerifyReport, prune, verify
from neuroparcel.io.store.exporting import export
from neuroparcel.io.store.opened import ConnectomeStore, StoredProfiles, open_store

__all__ = [
    "BuildReport",
    "ConnectomeStore",
    "StoredProfiles",
    "VerifyReport",
    "build_store",
    "export",
    "open_store",
    "prune",
    "verify",
]
