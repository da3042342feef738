"""Trees prove what they hold and nothing else; nonces are used once."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from otaniemi.contracts.rules import merkle, merkle_sum
from otaniemi.contracts.rules.keccak import keccak
from otaniemi.contracts.rules.merkle_sum import Node, SumTree
from otaniemi.contracts.rules.orders import NonceWindow

TREE = SumTree(b"\x03", 2, 16, signed=True)
COUNTS = st.integers(1, 40)


def _leaves(count: int) -> list[bytes]:
    return [keccak(bytes([number])) for number in range(count)]


def _nodes(count: int) -> list[Node]:
    return [Node(leaf, (number - 7, number * number)) for number, leaf in enumerate(_leaves(count))]


@given(COUNTS, st.data())
def test_a_leaf_is_proven_at_its_place_alone(count: int, data: st.DataObject) -> None:
    leaves = _leaves(count)
    levels = merkle.levels_of(leaves)
    root = merkle.root_of(leaves)
    index = data.draw(st.integers(0, count - 1))
    proof = merkle.proof_of(levels, index)
    assert merkle.verify(root, leaves[index], index, count, proof)
    other = data.draw(st.integers(0, count))
    assume(other != index)
    assert not merkle.verify(root, leaves[index], other, count, proof)
    assert not merkle.verify(root, leaves[index], index, count, [*proof, bytes(32)])
    assert not proof or not merkle.verify(root, leaves[index], index, count, proof[:-1])


@given(COUNTS, st.data())
def test_a_root_vouches_for_the_totals(count: int, data: st.DataObject) -> None:
    nodes = _nodes(count)
    root = TREE.root(nodes)
    assert root.sums == tuple(map(sum, zip(*[node.sums for node in nodes], strict=True)))
    index = data.draw(st.integers(0, count - 1))
    proof = merkle_sum.proof_of(TREE.levels(nodes), index)
    assert TREE.root_by(nodes[index], index, count, proof) == root
    forged = nodes[index]._replace(sums=(nodes[index].sums[0] + 1, nodes[index].sums[1]))
    assert count == 1 or TREE.root_by(forged, index, count, proof) != root


@given(st.lists(st.integers(0, 400), max_size=60))
def test_a_nonce_works_once_and_never_below_the_window(nonces: list[int]) -> None:
    window, used, highest = NonceWindow(), set[int](), -1
    for nonce in nonces:
        allowed = nonce not in used and nonce > highest - 128
        assert window.usable(nonce) == allowed
        if allowed:
            window = window.use(nonce)
            used.add(nonce)
            highest = max(highest, nonce)
            assert window.window < 1 << 128
        assert window.next == highest + 1
