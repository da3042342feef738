"""The chain: nodes, signed transactions, deployment, typed bindings, export and verified reading.

The only package that speaks JSON-RPC or runs an EVM.
"""

import os
from importlib.util import find_spec

# py-evm hashes with whatever eth-hash finds first, pycryptodome; safe-pysha3 is five times faster.
if find_spec("sha3"):
    os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
