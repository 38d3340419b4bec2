"""What is copied out of a section of a runbook."""

import pytest

from graders.runbook import script_below
from harness.errors import SubmissionFault

RUNBOOK = """
# Load

```bash
echo before
```

## 1. Manual run: by hand

```bash
one --day "$DAY"
```

```
output
```

### Then

- and

  ```sh
  $ two
  three
  ```

## Backfill

No command.

```python
print()
```
"""


def test_the_shell_blocks_of_a_section_are_one_script() -> None:
    assert script_below(RUNBOOK, "Manual run") == 'set -eo pipefail\none --day "$DAY"\ntwo\nthree'


@pytest.mark.parametrize("heading", ["Backfill", "Recovery"])
def test_a_section_without_commands_is_a_fault(heading: str) -> None:
    with pytest.raises(SubmissionFault, match=f"below a heading '{heading}'"):
        script_below(RUNBOOK, heading)
