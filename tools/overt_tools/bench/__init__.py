"""Benchmarks: what Overt costs, where the time goes, and how it compares with what anyone would pick instead.

Each measurement runs in a process of its own, on one core, with one thread (`alone`), and gives a `results.Outcome`.
"""
