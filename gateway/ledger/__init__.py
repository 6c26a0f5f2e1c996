"""The tamper-evident ledger. Its pure core (merkle, checkpoint, entry, bundle, verify) also runs alone for auditors."""
