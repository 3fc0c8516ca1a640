"""The Python side of tests/config/schema_test.cpp.

schema_verdicts.py SCHEMA DOCUMENTS   prints "valid" or "invalid" for each line of DOCUMENTS, one
                                      JSON document a line, by the JSON schema in SCHEMA
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft7Validator


def main() -> None:
    schema = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    validator = Draft7Validator(schema)
    for line in Path(sys.argv[2]).read_text(encoding="utf-8").splitlines():
        print("valid" if validator.is_valid(json.loads(line)) else "invalid")


if __name__ == "__main__":
    main()
