"""What the google_sheets source needs beside itself."""
