"""What the pages of docs/ and the README tell people to type, typed."""
