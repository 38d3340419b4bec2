"""From a frozen submission to a grade: knows engines and sandboxes, never models or personas."""
