"""What is true outside the chain: tariffs and meter readings, validated, agreed on and signed.

`sources` reads files; `tariffs` and `meters` turn what was read into checked observations; `reports` builds
the common report from them; `reporters` sign it when it agrees with what they saw themselves. A quorum of
signatures makes it ready for the Oracle contract.
"""

from otaniemi.oracles.errors import OracleError

__all__ = ["OracleError"]
