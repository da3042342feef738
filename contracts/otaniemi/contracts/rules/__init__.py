"""Rules of the protocol (docs/protocol.md), pure: values in, values out, integers throughout.

===================  ==========================================================
``units``            the one crossing between floats (kWh, EUR) and integers
``calendar``         slots, trading days, gates; the rules of a community
``orders``           orders, records, books, wire formats, locks, nonces
``receipts``         what a relayer signs of an order that it has
``signing``          EIP-712 digests, EIP-2098 signatures
``clearing``         price, volume and fills of a book
``continuous``       signed limits, receipts of an engine, at which price two match
``block_series``     calendar, mark and margins of standard contracts
``block_deals``      their deals replayed from events
``order_book``       price-time priority among standing orders
``lots``             energy in equal lots, the object of sealed and Dutch auctions
``sealed_auction``   commitments, winners and price of a sealed auction
``dutch_auction``    price at a time, signed takes
``lot_books``        auctions of lots replayed from their events, with their money
``price_packages``   a retailer's packages: terms, signed choices, what covers a home in a slot
``bilateral``        contracts between two accounts: signed terms, what they deliver when
``merkle``           fill and nomination trees
``merkle_sum``       trees whose nodes add up: meters and bills
``schedules``        nominations and the schedule that counts
``meters``           meter leaves and the tree of a slot
``tariffs``          packed tariff reports
``positions``        agreements of all other forms, curtailment
``packages``         what a retailer's packages cover of a home's slot
``sums``             what nodes of the bills add up
``references``       the trades behind a line
``lines``            what an account pays for one slot, and why
``bills``            the lines of a day and the tree that commits to them
``openings``         the bills' tree from the root down, as challenges open it
``ledger``           accounts replayed from events
``payout``           how final bills move money
``books``            books from CSV files
===================  ==========================================================
"""
