"""Reports from run folders and the clause catalogue: HTML, JUnit, JSON. See reports/README.md."""
