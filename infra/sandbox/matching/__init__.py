"""Order book, matching, and the ledger of balances."""
