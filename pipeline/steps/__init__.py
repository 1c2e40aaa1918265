"""What a task does, one file a step: prepare, documents, same_record, cluster, decide, choose, encode, pack, ledger."""
