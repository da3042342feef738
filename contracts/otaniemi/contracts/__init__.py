"""The protocol: whatever must agree bit for bit with the chain.

``rules`` holds it as pure Python, the twin of the Solidity; ``chain`` deploys the contracts and speaks
to them.
"""
