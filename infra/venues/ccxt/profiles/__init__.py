"""What each venue can do with orders, and how ccxt's class for it is to be asked."""
