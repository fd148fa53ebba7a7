"""What several test files share: builders of trees, comparisons, the fault library."""
