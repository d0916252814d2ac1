"""The kernel's part: interfaces, routes and namespaces, read and changed."""
