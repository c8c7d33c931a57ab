"""The checks and limits that an order has to pass, on facts that were read before."""
