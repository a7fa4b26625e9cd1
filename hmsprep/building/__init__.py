"""Files and a plan -> a sealed store, killed and resumed at any point."""
