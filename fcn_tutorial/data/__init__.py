"""Data sets, and what reads, writes, checks and augments them: a module for each."""

from fcn_tutorial.data.catalog import load_dataset
from fcn_tutorial.data.dataset import VOID, VOID_COLOR, Dataset, check_disjoint, overlap

__all__ = ["VOID", "VOID_COLOR", "Dataset", "check_disjoint", "load_dataset", "overlap"]
