// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAccounts} from "../interfaces/IAccounts.sol";
import {BlockTrade, IBlockSeries} from "../interfaces/IBlockSeries.sol";
import {ICommunities} from "../interfaces/ICommunities.sol";
import {Fill, IContinuousMarket, Limit, SignedLimit} from "../interfaces/IContinuousMarket.sol";
import {IPositions} from "../interfaces/IPositions.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {AccountKey} from "../types/AccountWords.sol";
import {DeviceLimits} from "../types/DeviceLimits.sol";
import {Form} from "../types/Form.sol";
import {bias} from "../types/OrderRecord.sol";
import {Agreement} from "../types/Position.sol";

/// @title ContinuousMarket
/// @notice Matches signed limits pair by pair; nobody trades beyond limit, quantity or time, whoever brings the pair, and
/// only the engine that a limit names brings it.
/// What an engine can and cannot do: docs/proofs.md [12].
contract ContinuousMarket is IContinuousMarket, EIP712 {
    bytes32 private constant LIMIT = keccak256(
        "Limit(uint32 account,uint32 community,uint8 product,uint64 instrument,int32 price,uint32 quantity,uint32 minFill,uint8 source,bool buy,uint32 nonce,uint64 validTo,address engine)"
    );

    bytes32 private constant RECEIPT = keccak256("Receipt(bytes32 order,uint64 sequence,uint64 receivedAt)");

    uint256 private constant SIGNATURE_BYTES = 64;

    /// @dev Enough for a wallet of several signers, and too little for one to spoil a batch.
    uint256 private constant WALLET_GAS = 200_000;

    IAccounts private immutable _accounts;
    ICommunities private immutable _communities;
    IPositions private immutable _positions;
    IBlockSeries private immutable _blocks;

    /// @inheritdoc IContinuousMarket
    mapping(bytes32 order => uint32) public filled;

    /// @dev Bit `nonce % 256` of word `nonce / 256`.
    mapping(uint32 account => mapping(uint256 word => uint256)) private _cancelled;

    /// @param accounts Keys of the accounts.
    /// @param communities Gates and price bands.
    /// @param positions Records trades of slots; must know this contract as a market.
    /// @param blocks Records trades of series.
    constructor(IAccounts accounts, ICommunities communities, IPositions positions, IBlockSeries blocks)
        EIP712("Otaniemi", "1")
    {
        (_accounts, _communities, _positions, _blocks) = (accounts, communities, positions, blocks);
    }

    /// @inheritdoc IContinuousMarket
    function matchOrders(SignedLimit calldata buy, SignedLimit calldata sell, uint32 quantity)
        external
        returns (uint64 deal)
    {
        return _match(buy, sell, quantity, msg.sender);
    }

    /// @inheritdoc IContinuousMarket
    function matchBatch(SignedLimit[] calldata limits, Fill[] calldata fills) external {
        for (uint256 i = 0; i < fills.length; ++i) {
            Fill calldata fill = fills[i];
            if (fill.buy >= limits.length) revert UnknownLimit(fill.buy);
            if (fill.sell >= limits.length) revert UnknownLimit(fill.sell);
            // A call of its own, so that what fails leaves nothing behind.
            try this.matchFor(limits[fill.buy], limits[fill.sell], fill.quantity, msg.sender) {}
            catch (bytes memory reason) {
                emit MatchSkipped(i, reason);
            }
        }
    }

    /// @notice `matchOrders` on behalf of `caller`. Only the contract itself, in a batch.
    /// @param caller Who brought the batch.
    function matchFor(SignedLimit calldata buy, SignedLimit calldata sell, uint32 quantity, address caller)
        external
    {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _match(buy, sell, quantity, caller);
    }

    /// @inheritdoc IContinuousMarket
    function cancel(uint32 account, uint32 nonce) external {
        if (!_accounts.mayOrder(account, msg.sender)) revert NotAllowed(account, msg.sender);
        _cancelled[account][nonce >> 8] |= 1 << (nonce & 0xff);
        emit Cancelled(account, nonce);
    }

    /// @inheritdoc IContinuousMarket
    function digestOf(Limit calldata limit) external view returns (bytes32) {
        return _digest(limit);
    }

    /// @inheritdoc IContinuousMarket
    function isCancelled(uint32 account, uint32 nonce) public view returns (bool) {
        return (_cancelled[account][nonce >> 8] >> (nonce & 0xff)) & 1 == 1;
    }

    function _match(SignedLimit calldata buy, SignedLimit calldata sell, uint32 quantity, address caller)
        private
        returns (uint64 deal)
    {
        _checkPair(buy.limit, sell.limit);
        bytes32 bought = _admit(buy, caller);
        bytes32 sold = _admit(sell, caller);
        _fill(buy.limit, bought, quantity);
        _fill(sell.limit, sold, quantity);
        (int32 price, uint64 buySequence, uint64 sellSequence) = _price(buy, bought, sell, sold);
        if (buy.limit.instrument >> 32 == 0) {
            deal = uint64(uint256(keccak256(abi.encode(bought, sold, filled[bought]))));
            _open(buy.limit, sell.limit, deal, price, quantity);
        } else {
            deal = _record(buy.limit, sell.limit, price, quantity);
        }
        emit Matched(
            buy.limit.community,
            bought,
            sold,
            buy.limit.product,
            buy.limit.instrument,
            deal,
            buy.limit.account,
            sell.limit.account,
            price,
            quantity,
            buySequence,
            sellSequence
        );
    }

    /// @dev Takes the quantity off what is left of a limit.
    function _fill(Limit calldata limit, bytes32 order, uint32 quantity) private {
        uint32 before = filled[order];
        uint32 left = limit.quantity - before;
        uint32 least = limit.minFill < left ? limit.minFill : left;
        if (quantity == 0 || quantity < least || quantity > left) {
            revert QuantityOutOfRange(order, quantity, least, left);
        }
        // quantity <= limit.quantity - before
        unchecked {
            filled[order] = before + quantity;
        }
    }

    /// @dev Both sides' positions in a slot whose gate is open.
    function _open(Limit calldata buy, Limit calldata sell, uint64 deal, int32 price, uint32 quantity)
        private
    {
        uint32 slot = uint32(buy.instrument);
        (uint256 gate, int32 priceMin, int32 priceMax) = _communities.tradingOf(buy.community, slot);
        if (block.timestamp >= gate) revert GateClosed(slot, gate);
        if (price < priceMin || price > priceMax) revert PriceOutOfBand(price);
        uint32[] memory wh = new uint32[](1);
        wh[0] = quantity;
        _positions.open(
            Agreement({
                community: buy.community,
                product: buy.product,
                buyer: buy.account,
                seller: sell.account,
                form: Form.Continuous,
                deal: deal,
                price: price,
                source: sell.source,
                slot: slot,
                wh: wh
            })
        );
    }

    /// @dev Both sides' margins in a series that is still traded.
    function _record(Limit calldata buy, Limit calldata sell, int32 price, uint32 lots)
        private
        returns (uint64 deal)
    {
        if (buy.instrument >> 32 != 1) revert UnknownInstrument(buy.instrument);
        return _blocks.record(
            BlockTrade({
                series: uint32(buy.instrument),
                community: buy.community,
                product: buy.product,
                buyer: buy.account,
                seller: sell.account,
                lots: lots,
                price: price,
                source: sell.source
            })
        );
    }

    /// @dev Digest of a limit that is good now and that its account agreed to.
    function _admit(SignedLimit calldata order, address caller) private view returns (bytes32 digest) {
        Limit calldata limit = order.limit;
        digest = _digest(limit);
        if (limit.engine != address(0) && limit.engine != caller) revert NotEngine(digest, limit.engine);
        if (limit.validTo < block.timestamp) revert Expired(digest, limit.validTo);
        if (isCancelled(limit.account, limit.nonce)) revert NonceCancelled(limit.account, limit.nonce);
        AccountKey key = _accounts.keyOf(limit.account);
        address signer = _signer(order.signature, digest, caller);
        if (signer != address(0) && signer == key.orderKey()) {
            if (key.isLimited()) _checkLimits(limit, signer);
            return digest;
        }
        address owner = _accounts.ownerOf(limit.account);
        if (signer != address(0) && signer == owner) return digest;
        if (order.signature.length == 0) revert NotAllowed(limit.account, caller);
        if (!_acceptedByWallet(owner, digest, order.signature)) revert NotSigned(limit.account, digest);
    }

    /// @dev A limited key may not bind its account for days.
    function _checkLimits(Limit calldata limit, address key) private view {
        DeviceLimits limits = _accounts.limitsFor(limit.account, key);
        if (limits.areNone()) return;
        bool permitted = limits.permits(bias(limit.price), limit.quantity, block.timestamp);
        if (!permitted || limit.instrument >> 32 != 0) revert KeyLimited(limit.account, key);
    }

    /// @dev The price of a pair, and the sequences that decided, 0 without a valid receipt.
    function _price(SignedLimit calldata buy, bytes32 bought, SignedLimit calldata sell, bytes32 sold)
        private
        view
        returns (int32 price, uint64 buySequence, uint64 sellSequence)
    {
        (buySequence, sellSequence) = (_sequence(buy, bought), _sequence(sell, sold));
        bool ordered = buy.limit.engine == sell.limit.engine && buySequence != 0 && sellSequence != 0
            && buySequence != sellSequence;
        if (ordered) {
            price = buySequence < sellSequence ? buy.limit.price : sell.limit.price;
        } else {
            // The shift floors, also below zero; a mean of two int32 is one.
            // forge-lint: disable-next-line(unsafe-typecast)
            price = int32((int256(buy.limit.price) + sell.limit.price) >> 1);
        }
    }

    /// @dev Number that the limit's engine gave it, 0 without a valid receipt.
    function _sequence(SignedLimit calldata order, bytes32 digest) private view returns (uint64) {
        address engine = order.limit.engine;
        if (engine == address(0) || order.sequence == 0 || order.receipt.length != SIGNATURE_BYTES) return 0;
        bytes32 receipt = keccak256(abi.encode(RECEIPT, digest, order.sequence, order.receivedAt));
        address signer = Signatures.recover(_hashTypedDataV4(receipt), order.receipt, 0);
        return signer == engine ? order.sequence : 0;
    }

    /// @dev Who signed with a key of its own, the caller where there is no signature; zero for none.
    function _signer(bytes calldata signature, bytes32 digest, address caller)
        private
        view
        returns (address)
    {
        if (signature.length == 0) return caller;
        return signature.length == SIGNATURE_BYTES ? Signatures.recover(digest, signature, 0) : address(0);
    }

    /// @dev EIP-1271.
    function _acceptedByWallet(address wallet, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool)
    {
        // A wallet that reverts must not stop a batch. Its gas is bounded, hence what it can answer as well.
        // slither-disable-next-line low-level-calls,return-bomb
        (bool success, bytes memory answer) =
            wallet.staticcall{gas: WALLET_GAS}(abi.encodeCall(IERC1271.isValidSignature, (digest, signature)));
        return
            success && answer.length == 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }

    function _digest(Limit calldata limit) private view returns (bytes32) {
        bytes32 typeHash = LIMIT;
        bytes32 hash;
        // Writes beyond the free memory pointer only. The fields of a static struct lie in calldata as they are hashed; one
        // with dirty high bits is a struct that nobody signs.
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, typeHash)
            calldatacopy(add(m, 0x20), limit, 0x180)
            hash := keccak256(m, 0x1a0)
        }
        return _hashTypedDataV4(hash);
    }

    /// @dev Sides, instrument, source and limits of a pair fit together.
    function _checkPair(Limit calldata buy, Limit calldata sell) private pure {
        if (!buy.buy || sell.buy) revert WrongSides();
        if (
            buy.community != sell.community || buy.product != sell.product
                || buy.instrument != sell.instrument
        ) revert DifferentInstruments();
        if (buy.price < sell.price) revert NotCrossing(buy.price, sell.price);
        if (buy.account == sell.account) revert SelfTrade(buy.account);
        if (buy.source != 0 && buy.source != sell.source) revert OtherSource(buy.source, sell.source);
    }
}
