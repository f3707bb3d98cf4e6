"""What lies on disk: run folders, journals, manifests, digests, and files packed or unpacked."""
