"""The plugins in `fixtures/`, each seen through real nested pytest runs."""
