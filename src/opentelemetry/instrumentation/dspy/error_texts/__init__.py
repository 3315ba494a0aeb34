"""What may be told of an exception: what went wrong and where, and none of the values that it was raised about."""
