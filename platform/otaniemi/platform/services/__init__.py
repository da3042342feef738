"""The services that run a community's market on a chain.

===============  =======================================================================
``gateway``      puts calls on the chain and indexes what came of them
``founding``     a community on a fresh chain: contracts, accounts, test tokens
``market``       signed orders in, relay batches, clearing
``schedules``    signed nominations in, batches out
``oracles``      tariff and meter reports with their quorum
``settlement``   a day's bills: proposed, final, debited, credited
===============  =======================================================================
"""
