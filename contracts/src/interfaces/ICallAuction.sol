// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Progress} from "../libraries/Clearing.sol";
import {Market} from "../types/Market.sol";
import {MarketTerms} from "../types/MarketTerms.sol";
import {Skip} from "../types/Skip.sol";

/// @notice Outcome of a clearing, from which every fill of the market follows.
/// @param price Clearing price, of no meaning where the volume is 0 [micro-token/kWh].
/// @param volume Traded energy [Wh].
/// @param demandAbove Energy of bids above the price [Wh].
/// @param supplyBelow Energy of offers below the price [Wh].
/// @param premium Price of labels of local renewable energy [micro-token/kWh].
/// @param labelRest Energy that can be labelled beyond what bids above that price bought [Wh].
/// @param labelled True once labels were given out.
/// @param root Root of the fill tree.
struct Result {
    int32 price;
    uint48 volume;
    uint48 demandAbove;
    uint48 supplyBelow;
    uint16 premium;
    uint48 labelRest;
    bool labelled;
    bytes32 root;
}

/// @notice Uniform-price call auction: orders go into a hash chain, the clearing is verified against it.
interface ICallAuction {
    /// @notice Records were appended to a market's hash chain: `head = keccak(head, records)` without its low 16 bits.
    /// @param firstIndex Position of the first of them in the market.
    /// @param records 16 bytes each.
    event OrdersAccepted(Market indexed market, uint32 firstIndex, bytes records);

    /// @notice A relayed order, profile or step of a profile was skipped; a whole profile counts to its first step's
    /// market, an all-or-nothing profile to that of its first failing step.
    event OrderSkipped(Market indexed market, uint32 indexed account, uint32 nonce, Skip reason);

    /// @notice A market was cleared; `lo` and `hi` bound the clearing prices.
    event Cleared(
        Market indexed market,
        int32 price,
        int32 lo,
        int32 hi,
        uint64 volume,
        uint64 demandAbove,
        uint64 supplyBelow,
        uint32 count,
        bytes32 root
    );

    /// @notice A part of a market's records was taken into a clearing with these hints; it goes on from `progress`.
    event Advanced(Market indexed market, int32 lo, int32 hi, Progress progress);

    /// @notice A market that nobody had cleared when its slot began is void: its orders traded nothing.
    event Voided(Market indexed market, uint32 count, bytes32 root);

    /// @notice A part of a cleared market's records was taken into the labels at this price; it goes on from `progress`.
    event LabelsAdvanced(Market indexed market, uint16 premium, Progress progress);

    /// @notice Bids that prefer local renewable energy were given its labels.
    /// @param premium Price of a label [micro-token/kWh].
    /// @param green Traded energy that can be labelled [Wh].
    /// @param above Energy bought by bids that offer more [Wh].
    /// @param root Of the fill tree, whose leaves now hold label prefixes.
    event Labelled(Market indexed market, uint16 premium, uint64 green, uint64 above, bytes32 root);

    /// @notice Both gates of the market moved to this block, as its slot was curtailed.
    event MarketClosed(Market indexed market);

    /// @notice Bytes of a batch do not split into entries.
    error MalformedWire();
    /// @notice Sources are 0 grid, 1 pv, 2 battery, 3 v2h, 4 chp, and in a bid 64 to 127 for a preference.
    error UnknownSource(uint8 source);
    /// @notice There is no such account in the market's community.
    error UnknownAccount(uint32 account);
    /// @notice The account has no approved meter for the product.
    error NoMeter(uint32 account, uint8 product);
    /// @notice The caller is neither owner nor device key of the account.
    error NotOrderKey(uint32 account, address caller);
    /// @notice The owner is no contract, or does not accept the signature.
    error NotSigned(uint32 account, address owner);
    /// @notice The order was valid until then.
    error Expired(uint64 validTo);
    /// @notice The nonce was used or is too old.
    error NonceUsed(uint32 account, uint32 nonce);
    /// @notice The device key has expired, or the order is beyond its limits.
    error KeyLimited(uint32 account, address caller);
    /// @notice Orders of the market are no longer taken, or there is no such market.
    error GateClosed(Market market);
    /// @notice The slot starts more than 8 days ahead.
    error TooFarAhead(Market market);
    /// @notice The price is outside the community's band.
    error PriceOutOfBand(int32 price);
    /// @notice The quantity is 0 or above the connection limit.
    error QuantityOutOfRange(uint32 quantity);
    /// @notice The free balance does not cover the order's lock.
    error InsufficientCollateral(uint32 account, uint256 need, uint256 free);
    /// @notice The market holds all the records that it can.
    error MarketFull(Market market);
    /// @notice The market has no orders.
    error MarketEmpty(Market market);
    /// @notice Orders of the market are still taken.
    error GateOpen(Market market, uint256 until);
    /// @notice The market was cleared before.
    error AlreadyCleared(Market market);
    /// @notice The market was not cleared.
    error NotCleared(Market market);
    /// @notice The labels of the market were given out before.
    error AlreadyLabelled(Market market);
    /// @notice This is not the price of labels.
    error NotLabelPrice(uint16 premium);
    /// @notice The market's slot was not curtailed.
    error NotCurtailed(Market market);
    /// @notice The slot has begun, so that its markets can only be void.
    error SlotBegun(Market market, uint256 since);
    /// @notice The slot has not begun; its markets can still be cleared.
    error SlotAhead(Market market, uint256 until);
    /// @notice The market has only so many records.
    error BatchTooLong(uint256 count);
    /// @notice No clearing with these hints has come there.
    error UnknownProgress(bytes32 key);
    /// @notice The records are not those of the market in order of arrival.
    error ChainMismatch(bytes32 expected, bytes32 got);
    /// @notice The hints are outside the band or crossed.
    error HintOutOfBand(int32 lo, int32 hi);
    /// @notice `lo` is not the lowest, or `hi` not the highest clearing price.
    error NotClearing(int32 lo, int32 hi);

    /// @notice Places an order in the caller's own transaction, open until the direct gate.
    /// @param price Limit [micro-token/kWh].
    /// @param quantity Energy [Wh].
    /// @param source Where sold energy comes from; in a bid 64 + k prefers local renewable energy and pays up to k times
    /// 1000 micro-token/kWh more for what is labelled so, any lower value means nothing.
    function placeOrder(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint8 source,
        bool buy,
        uint32 nonce
    ) external;

    /// @notice Places an order that the account's owner, a contract wallet, accepts as its own (EIP-1271), open until the
    /// direct gate. Anyone may send it.
    /// @param validTo Last time at which it can be placed [unix s].
    /// @param signature What the wallet accepts for the order's digest.
    function placeOrderOfWallet(
        Market market,
        uint32 account,
        int32 price,
        uint32 quantity,
        uint8 source,
        bool buy,
        uint32 nonce,
        uint64 validTo,
        bytes calldata signature
    ) external;

    /// @notice Appends signed orders of one market; those that fail are skipped.
    /// @param orders 89 bytes each: record, high byte of the nonce, validTo u64, signature.
    function relayOrders(Market market, bytes calldata orders) external;

    /// @notice Appends signed profile orders, whose steps are records of their slots' markets; what fails is skipped.
    /// @param profiles Each: account u32, allOrNothing u8, nonce u32, validTo u64, stepCount u16, steps of 13 bytes,
    /// signature.
    function relayProfiles(uint32 community, uint8 product, uint8 session, bytes calldata profiles) external;

    /// @notice Clears a market before its slot begins. Price, volume and fills follow from the orders alone, see docs/proofs.md [3].
    /// @param lo Lowest clearing price [micro-token/kWh].
    /// @param hi Highest clearing price [micro-token/kWh].
    /// @param records All records in order of arrival, 16 bytes each.
    /// @param batches Number of records of every batch.
    function clear(Market market, int32 lo, int32 hi, bytes calldata records, uint16[] calldata batches)
        external;

    /// @notice Takes a part of a large market's records into a clearing, for any hints; see docs/proofs.md [8].
    /// @param progress Where it goes on: the latest `Advanced` of the same hints, or all zero.
    /// @param records The next records in order of arrival, of whole batches.
    /// @param batches Number of records of every batch.
    function advance(
        Market market,
        int32 lo,
        int32 hi,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external;

    /// @notice Clears a market as `clear` does, after parts that `advance` took in with the same hints.
    function clearFrom(
        Market market,
        int32 lo,
        int32 hi,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external;

    /// @notice Declares a market void that was not cleared when its slot began, so that its locks can be released.
    /// @param progress Parts taken in by `advance` with the highest price of the band as `lo` and the lowest as `hi`, or all zero.
    function voidSlot(
        Market market,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external;

    /// @notice Gives labels of local renewable energy to bids that prefer it, in a market that was cleared and before its
    /// slot begins. Their price and who has them follow from the orders alone, see docs/proofs.md [11].
    /// @param premium Price of a label [micro-token/kWh].
    /// @param progress Parts taken in by `advanceLabels` with the same premium, or all zero.
    /// @param records The remaining records in order of arrival, 16 bytes each.
    /// @param batches Number of records of every batch.
    function label(
        Market market,
        uint16 premium,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external;

    /// @notice Takes a part of a large cleared market's records into its labels, for any premium; parameters as `label`.
    function advanceLabels(
        Market market,
        uint16 premium,
        Progress calldata progress,
        bytes calldata records,
        uint16[] calldata batches
    ) external;

    /// @notice Closes a market with orders whose slot was curtailed; it can be cleared at once. Anyone may call it.
    function closeCurtailed(Market market) external;

    /// @notice Head of a market's hash chain and its terms, zero while it has no orders; once cleared, the terms are zero
    /// but for stage and count.
    function marketOf(Market market) external view returns (bytes32 head, MarketTerms terms);

    /// @notice Number of records of a market, and whether it was cleared or declared void.
    function statusOf(Market market) external view returns (uint32 count, bool cleared);

    /// @notice Outcome of a market, zero until it is cleared; of a void one without volume.
    function resultOf(Market market) external view returns (Result memory);

    /// @notice Number of markets of a trading day that have orders and were neither cleared nor void.
    function openMarkets(uint32 community, uint32 day) external view returns (uint256);
}
