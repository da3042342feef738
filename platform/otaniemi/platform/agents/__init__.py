"""The homes' side of the market: from a plan to offers, from fills to a schedule, and the yardsticks."""
