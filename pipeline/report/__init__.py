"""What a finished corpus says of itself: numbers from the ledger, a funnel for the terminal, one HTML page."""
