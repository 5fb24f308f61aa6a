"""XMP sidecars: what a diagnosis says to other programs, merged into what they and the person wrote."""
