"""The forms of trading beside the call auction: for each contract its methods and its events in one file."""
