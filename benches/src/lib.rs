//! Benchmarks of the libraries: criterion, instruction counts, allocation counts.
