"""What is best for a home: its house, its plan and the offers that follow. Knows no chain, file or clock."""
