"""What schedulers share: cron expressions."""
