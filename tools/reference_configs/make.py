"""Makes the data of the reference configs: python3 tools/reference_configs/make.py writes data/*.npy and data/*.csv again.

Small, seeded, the same on every machine (NumPy's legacy generator is frozen).
"""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"


def main() -> None:
    DATA.mkdir(exist_ok=True)
    random = np.random.RandomState(20240607)

    def save(name: str, array: np.ndarray) -> None:
        np.save(DATA / f"{name}.npy", array)

    # Three classes of eight features; 203 samples, so that the last batch is ragged.
    centers = random.randn(3, 8)
    classes = random.randint(0, 3, 203)
    save("features", (centers[classes] + 0.8 * random.randn(203, 8)).astype(np.float32))
    save("classes", classes.astype(np.int64))

    # Regression, two signs for wasserstein, and bits for binary cross-entropy, from the same inputs.
    inputs = random.randn(150, 5)
    save("inputs", inputs.astype(np.float32))
    save("values", np.stack([np.sin(inputs[:, 0]) + inputs[:, 1], inputs[:, 2] * inputs[:, 3]], 1) + 0.1 * random.randn(150, 2))
    save("signs", np.where(inputs[:, 0] + inputs[:, 4] > 0, 1, -1).astype(np.int32))
    save("bits", (inputs[:, :3] + 0.3 * random.randn(150, 3) > 0).astype(np.uint8))

    # Images of two channels, 6 x 6, four classes: the brightest quadrant.
    images = random.rand(64, 2, 6, 6)
    quadrant = random.randint(0, 4, 64)
    for image, q in zip(images, quadrant):
        image[:, 3 * (q // 2) : 3 * (q // 2) + 3, 3 * (q % 2) : 3 * (q % 2) + 3] += 0.7
    save("images", images.astype(np.float32))
    save("sequences", images.reshape(64, 4, 18).astype(np.float32))
    save("quadrants", quadrant.astype(np.int64))

    # Token sequences: the target is the next token; some positions are ignored.
    tokens = (np.cumsum(random.randint(0, 3, (48, 11)), 1) % 12).astype(np.int64)
    targets = tokens[:, 1:].copy()
    targets[::5, 7:] = -100
    save("tokens", tokens[:, :-1])
    save("next_tokens", targets)

    # A table of five columns with names and classes as words, unscaled.
    words = np.array(["setosa", "virginica", "versicolor"])[random.randint(0, 3, 90)]
    with (DATA / "table.csv").open("w") as file:
        file.write("length,width,species,weight,height\n")
        for i, word in enumerate(words):
            row = random.randn(4) * [1, 0.3, 10, 2] + [5 + len(word) / 4, 3, 50 - 3 * len(word), 1]
            file.write(f"{row[0]:.2f},{row[1]:.2f},{word},{row[2]:.1f},{row[3]:.2f}\n")

    # Without a header: a number to predict, and three columns of which the last has no spread.
    with (DATA / "regression.csv").open("w") as file:
        for x, y in random.randn(80, 2):
            file.write(f"{np.tanh(x) + 0.5 * y:.3f},{10 * x + 4:.3f},{y:.3f},7\n")


if __name__ == "__main__":
    main()
