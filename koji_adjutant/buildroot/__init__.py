"""What stands in the root before rpmbuild runs."""
