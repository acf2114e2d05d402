"""What sources that read files share: locations, decompression, encodings."""
