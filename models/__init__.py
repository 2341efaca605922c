"""What things are: records, codelists and ids. No I/O, and no import of another room."""
