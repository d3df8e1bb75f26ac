"""Raw files, scratch space and disks."""
