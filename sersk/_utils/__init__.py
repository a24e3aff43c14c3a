"""What several rooms share and no user needs: import from the modules."""
