"""One class a portal family."""
