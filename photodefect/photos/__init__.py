"""Photos: finding them, decoding them to oriented sRGB pixels, reading their capture data."""
