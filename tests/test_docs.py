"""The Python in docs/engine.md runs as it stands, with less training."""

import re
from pathlib import Path

import torch

from neuroparcel.inference import Schedule, Stage, variational

ENGINE = Path(__file__).parent.parent / "docs" / "engine.md"


def test_the_engine_guide_runs(monkeypatch, tmp_path, capsys):
    stage = Stage("posterior", "reverse-kl", 20, 2e-3, ("encoder", "shift", "scale", "flow"), 4)
    monkeypatch.setattr(variational, "default_schedule", lambda family: Schedule((stage,)))
    monkeypatch.chdir(tmp_path)
    guide = ENGINE.read_text(encoding="utf-8")
    budget = "time_budget=60.0"
    assert guide.count(budget) == 1
    blocks = re.findall(r"```python\n(.*?)```", guide.replace(budget, "time_budget=1.0"), re.S)
    names: dict[str, object] = {}
    for number, block in enumerate(blocks):
        script = tmp_path / f"block{number}.py"  # analyse() and its source hash read source
        script.write_text(block)
        exec(compile(block, str(script), "exec"), names)  # our own text
    assert len(blocks) >= 3
    printed = capsys.readouterr().out
    assert "mu_g" in printed
    x = torch.randn(4, 9, 2)
    assert torch.equal(names["again"](x).mean("mu"), names["posterior"](x).mean("mu"))
