"""What refuses a record before it is sent."""
