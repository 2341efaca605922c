"""What is done to records: one step a module, pure where it can be. Imports models."""
