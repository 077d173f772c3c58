"""A hybrid classifier in PyTorch: two half moons, told apart by a circuit between two linear layers.

    python examples/classifier.py --epochs 30 --out classifier.png

Needs `pip install "qrealm[torch,plot]"`. The picture shows the losses, and what the trained model makes
of the plane.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

import qrealm

try:
    import torch
    from matplotlib.figure import Figure

    from qrealm.faces.providers.torch import QrealmLayer
except ModuleNotFoundError as problem:
    package = (problem.name or "").partition(".")[0]
    if package not in ("torch", "matplotlib"):
        raise
    sys.exit(f'examples/classifier.py needs {package}: pip install "qrealm[torch,plot]"')

QUBITS = 4
LAYERS = 2
NOISE = 0.15
BATCH = 20


@dataclass
class Training:
    """What a run of the example leaves.

    Attributes:
        model: the trained classifier.
        losses: mean training loss of each epoch.
        test_losses: loss on points that were not trained on, after each epoch.
        accuracy: share of those points that are told apart rightly, after the last epoch.
    """

    model: torch.nn.Module
    losses: list[float] = field(default_factory=list)
    test_losses: list[float] = field(default_factory=list)
    accuracy: float = 0.0


def moons(count: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (count, 2) on two half circles, blurred, and the half circle of each: 0 or 1, shape (count,)."""
    label = rng.integers(0, 2, count)
    angle = rng.uniform(0, np.pi, count)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points[label == 1] = np.array([1.0, 0.5]) - points[label == 1]
    points += rng.normal(0, NOISE, points.shape)
    return torch.tensor(points, dtype=torch.float32), torch.tensor(label, dtype=torch.float32)


def circuit() -> qrealm.Circuit:
    """In each layer the data as RY angles, trained rotations, and entangling gates."""
    made = qrealm.Circuit(QUBITS)
    for layer in range(LAYERS):
        for q in range(QUBITS):
            made.ry(qrealm.Parameter(f"x{layer}_{q}"), q)
        for q in range(QUBITS):
            made.ry(qrealm.Parameter(f"y{layer}_{q}"), q).rz(qrealm.Parameter(f"z{layer}_{q}"), q)
        for q in range(QUBITS):
            made.cx(q, (q + 1) % QUBITS)
    return made


def classifier(seed: int) -> torch.nn.Module:
    """Two numbers in, one out: positive for the second moon."""
    torch.manual_seed(seed)
    inputs = [f"x{layer}_{q}" for layer in range(LAYERS) for q in range(QUBITS)]
    quantum = QrealmLayer(circuit(), [f"Z{q}" for q in range(QUBITS)], inputs=inputs, seed=seed)
    return torch.nn.Sequential(torch.nn.Linear(2, len(inputs)), quantum, torch.nn.Linear(QUBITS, 1))


def train(epochs: int, seed: int = 1, points: int = 200, console: Console | None = None) -> Training:
    """Train on `points` points and test on as many others; with a progress bar where a console is given."""
    rng = np.random.default_rng(seed)
    data, labels = moons(points, rng)
    test_data, test_labels = moons(points, rng)
    model = classifier(seed)
    found = Training(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    measure = torch.nn.BCEWithLogitsLoss()
    columns = [
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs  loss {task.fields[loss]}"),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=console, disable=console is None) as bar:
        task = bar.add_task("training", total=epochs, loss="-")
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.as_tensor(rng.permutation(points)).split(BATCH):
                optimizer.zero_grad()
                loss = measure(model(data[chosen]).squeeze(-1), labels[chosen])
                loss.backward()
                optimizer.step()
                total += loss.item() * len(chosen)
            found.losses.append(total / points)
            with torch.no_grad():
                scores = model(test_data).squeeze(-1)
            found.test_losses.append(measure(scores, test_labels).item())
            found.accuracy = ((scores > 0) == (test_labels > 0.5)).float().mean().item()
            bar.update(task, advance=1, loss=f"{found.losses[-1]:.3f}")
    return found


def save_picture(found: Training, path: Path, seed: int = 1, points: int = 200) -> None:
    """The losses, and the plane as the model sees it, under the test points."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_losses(left, found)
    _draw_plane(right, found, seed, points)
    figure.savefig(path, dpi=150)


def _draw_losses(axes: Any, found: Training) -> None:
    epochs = range(1, len(found.losses) + 1)
    axes.plot(epochs, found.losses, label="training")
    axes.plot(epochs, found.test_losses, label="test", linestyle="--")
    axes.set(xlabel="epoch", ylabel="cross entropy (nats)", title="Loss")
    axes.set_ylim(bottom=0)
    axes.legend()


def _draw_plane(axes: Any, found: Training, seed: int, points: int) -> None:
    rng = np.random.default_rng(seed)
    moons(points, rng)  # the training points come first
    data, labels = moons(points, rng)
    x, y = np.meshgrid(np.linspace(-1.6, 2.6, 60), np.linspace(-1.2, 1.7, 45))
    grid = torch.tensor(np.stack([x.ravel(), y.ravel()], axis=1), dtype=torch.float32)
    with torch.no_grad():
        share = torch.sigmoid(found.model(grid)).reshape(x.shape).numpy()
    filled = axes.contourf(x, y, share, levels=np.linspace(0, 1, 11), cmap="RdBu", alpha=0.7)
    for value, colour, marker in ((0, "darkred", "o"), (1, "navy", "^")):
        chosen = labels == value
        axes.scatter(*data[chosen].T, s=14, c=colour, marker=marker, label=f"moon {value}")
    axes.set(xlabel="first coordinate", ylabel="second coordinate",
             title=f"Test points, {found.accuracy:.1%} right")  # fmt: skip
    axes.legend(loc="upper right")
    axes.figure.colorbar(filled, ax=axes, label="probability of moon 1")


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a hybrid classifier on two half moons.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--points", type=int, default=200, help="points to train on, and as many to test on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("classifier.png"))
    options = parser.parse_args()
    console = Console(stderr=True)
    found = train(options.epochs, options.seed, options.points, console)
    save_picture(found, options.out, options.seed, options.points)
    print(f"test accuracy {found.accuracy:.1%}, loss {found.losses[0]:.3f} -> {found.losses[-1]:.3f}")
    print(f"saved {options.out}")


if __name__ == "__main__":
    main()
