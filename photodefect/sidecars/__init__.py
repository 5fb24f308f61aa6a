"""XMP sidecars: what a photo's diagnosis says to other programs, merged into what they and the person wrote."""
