"""The components that come with sendoff. They use nothing that a plugin of yours could not."""
