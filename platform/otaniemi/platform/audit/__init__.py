"""The auditor: rebuilds a run from chain data and published leaves, and trusts nothing else.

Judges with ``contracts.rules``, reads with ``contracts.chain``, imports no service.
"""
