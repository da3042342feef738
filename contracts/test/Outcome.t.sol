// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Result} from "../src/interfaces/ICallAuction.sol";
import {MarketTerms} from "../src/types/MarketTerms.sol";
import {packOutcome, unpackOutcome} from "../src/types/Outcome.sol";
import {vm} from "./support/Vm.sol";

contract OutcomeTest {
    function testFuzz_an_outcome_comes_back_as_it_was_kept(Result calldata result, uint16 count) public pure {
        MarketTerms kept = packOutcome(result);
        vm.assertEq(abi.encode(unpackOutcome(kept, result.root)), abi.encode(result));
        MarketTerms terms = kept.ofStage().withCount(count);
        vm.assertTrue(terms.isCleared(), "cleared");
        vm.assertEq(terms.count(), count);
        vm.assertEq(terms.directGate(), 0, "the gates have passed");
        vm.assertEq(terms.limitWh(), 0, "no order fits");
    }

    function testFuzz_terms_are_no_outcome(uint256 word, bytes32 root) public pure {
        // The stage of a market that was not cleared is 0.
        MarketTerms terms = MarketTerms.wrap(word & ~uint256(0xff0000));
        Result memory none;
        vm.assertEq(abi.encode(unpackOutcome(terms, root)), abi.encode(none));
        vm.assertEq(MarketTerms.unwrap(terms.ofStage()), MarketTerms.unwrap(terms));
    }
}
