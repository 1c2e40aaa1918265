"""The stages, one file or folder each. A stage knows `pipeline.schema` and `pipeline.contract`, and no other stage."""
