"""What benchmarks share: conditions to run under, memory, records, simulated stores."""
