"""A model after training: predictions, comparison, quality gate, registration, promotion, lineage, batch transform."""
