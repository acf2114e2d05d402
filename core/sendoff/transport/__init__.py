"""The contract of requests and responses; rate limits, allowed addresses, URLs and compression."""
