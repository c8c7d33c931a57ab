"""Jobs: computations that continue after the request that started them."""
