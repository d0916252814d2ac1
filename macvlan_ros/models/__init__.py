"""Values: what the parts hand to one another. All frozen; none of them does anything."""
