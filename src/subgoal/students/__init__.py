"""Students: small language models in their folders; made, grown, saved, loaded, exported."""
