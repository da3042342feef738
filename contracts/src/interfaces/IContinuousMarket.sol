// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A limit order for one instrument, good in parts until `validTo`.
/// @param account Who trades.
/// @param community Its community.
/// @param product 0 electricity, 1 heat, 2 cooling.
/// @param instrument A slot, or `1 << 32 | series` of block contracts.
/// @param price A buy pays at most this, a sell receives at least this [micro-token/kWh].
/// @param quantity Of a slot [Wh], of a series [lots].
/// @param minFill Smallest part that it trades at once, unless less is left; in the unit of `quantity`.
/// @param source Source of a sell's energy; a buy with a source other than 0 takes only that.
/// @param buy True for a bid, false for an offer.
/// @param nonce What `cancel` names; limits may share it.
/// @param validTo Last time at which it trades [unix s].
/// @param engine Who alone may match it, and whose receipts say which of two limits came first; zero for anybody.
struct Limit {
    uint32 account;
    uint32 community;
    uint8 product;
    uint64 instrument;
    int32 price;
    uint32 quantity;
    uint32 minFill;
    uint8 source;
    bool buy;
    uint32 nonce;
    uint64 validTo;
    address engine;
}

/// @notice A limit with what shows that its account signed it and that its engine received it.
/// @param limit The order.
/// @param signature By the owner or device key, 64 bytes; or for the owner, a contract, by EIP-1271; empty where the
/// caller is one of these keys.
/// @param sequence Number that the engine gave it, from 1 on; 0 without a receipt.
/// @param receivedAt When the engine received it [unix s].
/// @param receipt Signature of the limit's engine on `Receipt`, 64 bytes, or empty.
struct SignedLimit {
    Limit limit;
    bytes signature;
    uint64 sequence;
    uint64 receivedAt;
    bytes receipt;
}

/// @notice Two limits of a list that trade with each other.
/// @param buy Index of the buy.
/// @param sell Index of the sell.
/// @param quantity What they trade, in the unit of their quantities.
struct Fill {
    uint16 buy;
    uint16 sell;
    uint32 quantity;
}

/// @notice Continuous trading of slots and block series: two signed limits that match are brought by the engine that they
/// name, by anyone where they name none. The chain keeps limits and quantities; who trades first is the duty of the engine,
/// proven by its receipts.
interface IContinuousMarket {
    /// @notice Two limits traded.
    /// @param buy Digest of the buy's limit.
    /// @param sell Digest of the sell's limit.
    /// @param deal Number of the agreement: of `BlockSeries` for a series; for a slot the low 64 bits of
    /// `keccak(buy | sell | what is filled of the buy u256)`, which costs no storage.
    /// @param price What the buyer pays [micro-token/kWh].
    /// @param quantity In the unit of the limits.
    /// @param buySequence Number in the buy's valid receipt, 0 without one.
    /// @param sellSequence Number in the sell's valid receipt, 0 without one.
    event Matched(
        uint32 indexed community,
        bytes32 indexed buy,
        bytes32 indexed sell,
        uint8 product,
        uint64 instrument,
        uint64 deal,
        uint32 buyer,
        uint32 seller,
        int32 price,
        uint32 quantity,
        uint64 buySequence,
        uint64 sellSequence
    );

    /// @notice A pair of a batch did not trade.
    /// @param fill Its index in the batch.
    /// @param reason The error, as `matchOrders` would have reverted.
    event MatchSkipped(uint256 fill, bytes reason);

    /// @notice No limit of the account with this nonce trades from now on.
    event Cancelled(uint32 indexed account, uint32 indexed nonce);

    /// @notice The first limit is no buy, or the second no sell.
    error WrongSides();
    /// @notice The limits are of different communities, products or instruments.
    error DifferentInstruments();
    /// @notice The buy pays less than the sell asks for.
    error NotCrossing(int32 buy, int32 sell);
    /// @notice Buy and sell are of one account.
    error SelfTrade(uint32 account);
    /// @notice The buy takes energy of another source only.
    error OtherSource(uint8 wanted, uint8 offered);
    /// @notice There is no such instrument.
    error UnknownInstrument(uint64 instrument);
    /// @notice The limit trades only where this engine, which it names, brings it.
    error NotEngine(bytes32 order, address engine);
    /// @notice The limit was good until an earlier time.
    error Expired(bytes32 order, uint64 validTo);
    /// @notice The account cancelled the limit's nonce.
    error NonceCancelled(uint32 account, uint32 nonce);
    /// @notice Neither owner nor device key signed.
    error NotSigned(uint32 account, bytes32 order);
    /// @notice The key may not order.
    error NotAllowed(uint32 account, address key);
    /// @notice The device key's limits do not allow the order; it may not trade series at all.
    error KeyLimited(uint32 account, address key);
    /// @notice The quantity is 0, more than what is left, or less than what the limit trades at once.
    error QuantityOutOfRange(bytes32 order, uint32 quantity, uint32 least, uint32 left);
    /// @notice The price lies outside of the community's band.
    error PriceOutOfBand(int32 price);
    /// @notice Trading of the slot ended at this time.
    error GateClosed(uint32 slot, uint256 gate);
    /// @notice A fill names no limit of the list.
    error UnknownLimit(uint256 index);
    /// @notice Only the contract itself may call.
    error NotSelf(address caller);

    /// @notice Trades a buy with a sell: at the limit of the one with the lower sequence where both name the same engine
    /// and bring its receipts, else at the midpoint, rounded down. The engine of both, anyone where they name none.
    /// @param quantity What they trade, in the unit of their quantities.
    /// @return deal Number of the agreement, see `Matched`.
    function matchOrders(SignedLimit calldata buy, SignedLimit calldata sell, uint32 quantity)
        external
        returns (uint64 deal);

    /// @notice `matchOrders` for many pairs; one that fails is skipped with an event.
    /// @param limits Every limit once.
    /// @param fills Pairs of them, in the order in which they trade.
    function matchBatch(SignedLimit[] calldata limits, Fill[] calldata fills) external;

    /// @notice Ends all limits of the account with this nonce. Owner or device key only.
    function cancel(uint32 account, uint32 nonce) external;

    /// @notice What was traded of a limit, by its digest.
    function filled(bytes32 order) external view returns (uint32);

    /// @notice True if the account cancelled the nonce.
    function isCancelled(uint32 account, uint32 nonce) external view returns (bool);

    /// @notice Digest of a limit: what is signed, and its name.
    function digestOf(Limit calldata limit) external view returns (bytes32);
}
