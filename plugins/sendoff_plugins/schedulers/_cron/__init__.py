"""What schedulers share: cron expressions, and the times at which a schedule may be due."""
