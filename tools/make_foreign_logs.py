"""Writes logs of other tools into tests/data/foreign, by those tools themselves.

    pip install torch tensorboard lightning transformers accelerate wandb
    python3 tools/make_foreign_logs.py

Small trainings with a known disease each: PyTorch's SummaryWriter, TensorBoard's own summaries, Lightning's CSV logger, the
Trainer of transformers, W&B's offline files; and lines as Keras, fairseq and Megatron print them. Times, names of hosts and
process ids are fixed, so that a second run writes the same files.
"""

import csv
import json
import logging
import math
import os
import shutil
import tempfile
import warnings
from pathlib import Path
from unittest import mock

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "data" / "foreign"
CLOCK = 1700000000.0
STEPS, EVERY = 100, 4


def blobs(samples=96, features=8, classes=3):
    generator = torch.Generator().manual_seed(5)
    centres = 2 * torch.randn(classes, features, generator=generator)
    labels = torch.arange(samples) % classes
    return centres[labels] + torch.randn(samples, features, generator=generator), labels


def mlp(depth, activation, width=16, features=8, classes=3):
    torch.manual_seed(1)
    layers = []
    for i in range(depth):
        layers += [(f"fc{i + 1}", nn.Linear(features if i == 0 else width, width)), (f"act{i + 1}", activation())]
    layers.append(("head", nn.Linear(width, classes)))
    return nn.Sequential(__import__("collections").OrderedDict(layers))


def weights(model):
    return [(name, p) for name, p in model.named_parameters() if name.endswith("weight")]


def train(model, log, lr=0.1, decay=0.0, loss_of=nn.functional.cross_entropy):
    """Calls log(step, loss, total norm, model) before every update."""
    inputs, labels = blobs()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for step in range(STEPS):
        rows = torch.arange(32) + 32 * (step % 3)
        loss = loss_of(model(inputs[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.grad += decay * p.data
        total = torch.linalg.vector_norm(torch.stack([p.grad.norm() for p in model.parameters()]))
        log(step, loss.item(), total.item(), model)
        optimizer.step()


def fixed_names():
    return [mock.patch("time.time", lambda: CLOCK), mock.patch("socket.gethostname", lambda: "host"),
            mock.patch("os.getpid", lambda: 1)]


def write_pytorch(name, model, tag="grad_norm/{}", total="train/grad_norm", **options):
    path = FOLDER / name
    for patch in fixed_names():
        patch.start()
    writer = SummaryWriter(str(path))

    def log(step, loss, norm, trained):
        if step % EVERY:
            return
        writer.add_scalar("train/loss", loss, step, walltime=CLOCK + step)
        writer.add_scalar("train/lr", options.get("lr", 0.1), step, walltime=CLOCK + step)
        if total:
            writer.add_scalar(total, norm, step, walltime=CLOCK + step)
        for layer, p in weights(trained):
            writer.add_scalar(tag.format(layer), p.grad.norm().item(), step, walltime=CLOCK + step)

    train(model, log, **options)
    writer.close()
    mock.patch.stopall()


def dead_model():
    model = mlp(4, nn.ReLU)
    for module in model:
        if isinstance(module, nn.Linear):
            nn.init.constant_(module.bias, -100.0)
    return model


def log_of_probability(output, labels):
    """Softmax and log apart: log(0) sooner or later."""
    probability = torch.softmax(40 * output, 1)
    return -torch.log(probability[torch.arange(len(labels)), labels]).mean() * 10


def pytorch():
    write_pytorch("pytorch-healthy", mlp(4, nn.ReLU))
    write_pytorch("pytorch-vanishing", mlp(10, nn.Sigmoid), tag="Gradients/{}", total=None)
    write_pytorch("pytorch-exploding", mlp(6, nn.Tanh), tag="{}/grad_norm", decay=-0.7)
    write_pytorch("pytorch-nan", mlp(3, nn.ReLU), loss_of=log_of_probability, lr=0.5)
    write_pytorch("pytorch-dead", dead_model())


def pytorch_histograms():
    for patch in fixed_names():
        patch.start()
    writer = SummaryWriter(str(FOLDER / "pytorch-histograms"))

    def log(step, loss, _, model):
        if step % 25:
            return
        writer.add_scalar("Loss/train", loss, step, walltime=CLOCK)
        for layer, p in weights(model):
            writer.add_histogram(f"gradients/{layer}", p.grad, step, bins="auto", walltime=CLOCK)

    train(mlp(2, nn.Tanh), log)
    writer.close()
    mock.patch.stopall()


def pytorch_add_scalars():
    for patch in fixed_names():
        patch.start()
    writer = SummaryWriter(str(FOLDER / "pytorch-add-scalars"))

    def log(step, loss, _, model):
        if step % 10:
            return
        writer.add_scalar("loss", loss, step, walltime=CLOCK)
        writer.add_scalars("grads/norm", {layer: p.grad.norm().item() for layer, p in weights(model)}, step, walltime=CLOCK)

    train(mlp(2, nn.Tanh), log)
    writer.close()
    mock.patch.stopall()


def tensorboard_summaries():
    """Version 2 of scalars and histograms, as TensorFlow writes them."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.plugins.histogram import summary_v2 as histogram
    from tensorboard.plugins.scalar import summary_v2 as scalar
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for patch in fixed_names():
        patch.start()
    writer = EventFileWriter(str(FOLDER / "tensorflow-v2"))

    def log(step, loss, _, model):
        if step % 20:
            return
        writer.add_event(Event(wall_time=CLOCK, step=step, summary=scalar.scalar_pb("epoch_loss", loss)))
        for layer, p in weights(model):
            summary = histogram.histogram_pb(f"gradients/{layer}", p.grad.numpy().ravel(), buckets=10)
            writer.add_event(Event(wall_time=CLOCK, step=step, summary=summary))

    train(mlp(2, nn.Tanh), log)
    writer.close()
    mock.patch.stopall()


def lightning():
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
    from lightning.pytorch.utilities import grad_norm

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Module(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = mlp(11, nn.Tanh)

        def training_step(self, batch, _):
            loss = nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def validation_step(self, batch, _):
            self.log("val_loss", nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

        def on_before_optimizer_step(self, _):
            self.log_dict(grad_norm(nn.ModuleDict({n: m for n, m in self.net.named_children() if "act" not in n}), 2))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    inputs, labels = blobs(64)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(inputs, labels), batch_size=8)
    with tempfile.TemporaryDirectory() as folder:
        loggers = [CSVLogger(folder, name="csv"), TensorBoardLogger(folder, name="events")]
        trainer = pl.Trainer(max_epochs=4, logger=loggers, log_every_n_steps=2, enable_checkpointing=False, accelerator="cpu",
                             enable_progress_bar=False, enable_model_summary=False)
        trainer.fit(Module(), loader, loader)
        (FOLDER / "lightning").mkdir(parents=True)
        shutil.copy(f"{folder}/csv/version_0/metrics.csv", FOLDER / "lightning" / "metrics.csv")


def transformers_trainer(name, loss_of, save):
    from transformers import Trainer, TrainingArguments

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = mlp(2, nn.ReLU)

        def forward(self, inputs, labels):
            output = self.net(inputs)
            return {"loss": loss_of(output, labels), "logits": output}

    inputs, labels = blobs()
    rows = [{"inputs": x, "labels": y} for x, y in zip(inputs, labels)]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(folder, max_steps=60, logging_steps=3, save_steps=30 if save else 1000, report_to=[],
                                      per_device_train_batch_size=16, learning_rate=0.01, use_cpu=True, disable_tqdm=True,
                                      eval_strategy="steps", eval_steps=30, optim="sgd", seed=1)
        trainer = Trainer(Model(), arguments, train_dataset=rows, eval_dataset=rows)
        with open(os.devnull, "w") as null, mock.patch("sys.stdout", null):
            trainer.train()
        states = sorted(Path(folder).glob("checkpoint-*/trainer_state.json"))
        for state in states if save else states[-1:]:
            into = FOLDER / name / state.parent.name if save else FOLDER / name
            into.mkdir(parents=True)
            shutil.copy(state, into)


def transformers():
    calls = []

    def goes_wrong(output, labels):
        calls.append(1)
        loss = nn.functional.cross_entropy(output, labels)
        return loss * float("nan") if torch.is_grad_enabled() and len(calls) > 25 else loss

    transformers_trainer("huggingface-healthy", nn.functional.cross_entropy, save=True)
    transformers_trainer("huggingface-nan", goes_wrong, save=False)


def wandb():
    """W&B's messages; the blocks around them are laid out here, since its client no longer does that in Python."""
    import struct
    import zlib

    from wandb.proto import wandb_internal_pb2 as pb

    path = FOLDER / "wandb" / "offline-run-1" / "run-abc.wandb"
    path.parent.mkdir(parents=True)
    file = bytearray(b":W&B" + struct.pack("<HB", 0xBEE1, 0))

    def store(record):
        data, kind = record.SerializeToString(), 1
        while data or kind in (1, 2):
            left = 32768 - len(file) % 32768
            if left < 7:
                file.extend(bytes(left))
                left = 32768
            part, data = data[: left - 7], data[left - 7 :]
            kind = kind if not data else 2 if kind == 1 else 3
            if not data and kind in (2, 3):
                kind = 4
            file.extend(struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part)
            if not data:
                return
            kind = 3

    run = pb.Record(num=1)
    run.run.run_id, run.run.project, run.run.display_name = "abc", "blobs", "calm-cloud-1"
    store(run)

    def add(record, keys, value):
        item = record.history.item.add()
        item.nested_key.extend(keys)
        item.value_json = json.dumps(value)

    def log(step, loss, norm, model):
        if step % 10:
            return
        record = pb.Record(num=step + 2)
        record.history.step.num = step
        add(record, ["_step"], step)
        add(record, ["train/loss"], loss if step < 90 else math.nan)
        add(record, ["train/grad_norm"], norm)
        for layer, p in weights(model):
            counts, edges = torch.histogram(p.grad.flatten(), 64)
            for key, value in (("_type", "histogram"), ("values", counts.int().tolist()), ("bins", [round(e, 7) for e in edges.tolist()])):
                add(record, [f"gradients/{layer}", key], value)
        store(record)

    train(mlp(2, nn.Tanh), log)
    path.write_bytes(file)


def lines():
    with open(FOLDER / "keras.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "accuracy", "loss", "val_accuracy", "val_loss"])
        for epoch in range(6):
            table.writerow([epoch, 0.5 + 0.05 * epoch, 1.2 * 0.8**epoch, "NA" if epoch % 2 else 0.5, "NA" if epoch % 2 else 1.1])
    with open(FOLDER / "generic.jsonl", "w") as file:
        def log(step, loss, norm, model):
            if step % 5 == 0:
                row = {"step": step, "loss": loss if step < 95 else math.nan, "grad_norm": norm, "lr": 0.1,
                       "grads": {layer: p.grad.norm().item() for layer, p in weights(model)}}
                file.write(json.dumps(row) + "\n")

        train(mlp(2, nn.Tanh), log)
    with open(FOLDER / "fairseq.log", "w") as file:
        file.write("2024-01-01 12:00:00 | INFO | fairseq_cli.train | task: TranslationTask\n")
        for i in range(1, 31):
            row = {"epoch": 1, "update": round(i / 30, 3), "loss": f"{9 - i / 10:.3f}", "num_updates": str(100 * i),
                   "lr": f"{1e-5 * i:g}", "gnorm": f"{1.5 + math.sin(i):.3f}", "clip": "10", "train_wall": "12"}
            file.write(f"2024-01-01 12:{i:02d}:00 | INFO | train_inner | {json.dumps(row)}\n")
    with open(FOLDER / "megatron.log", "w") as file:
        for i in range(1, 31):
            norm = "nan" if i > 27 else f"{1 + 0.1 * math.cos(i):.3f}"
            file.write(f" [2024-01-01 12:{i:02d}:00] iteration {10 * i:8d}/     300 | consumed samples: {160 * i:12d} | elapsed "
                       f"time per iteration (ms): 523.1 | learning rate: {1e-4:.6E} | global batch size:    16 | lm loss: "
                       f"{10 - i / 5:.6E} | loss scale: 1.0 | grad norm: {norm} | number of skipped iterations:   0 | number of "
                       f"nan iterations:   0 |\n")
    with open(FOLDER / "huggingface.log", "w") as file:
        file.write("***** Running training *****\n  Num examples = 96\n  Total optimization steps = 60\n")
        for i in range(1, 21):
            file.write(str({"loss": round(1.1 * 0.9**i, 4), "grad_norm": 1 + 1 / i, "learning_rate": 0.01, "epoch": i / 2}) + "\n")
        file.write("{'train_runtime': 1.2, 'train_loss': 0.4, 'epoch': 10.0}\n")


def main():
    os.environ["WANDB_MODE"] = "offline"
    if FOLDER.exists():
        shutil.rmtree(FOLDER)
    FOLDER.mkdir(parents=True)
    for write in (pytorch, pytorch_histograms, pytorch_add_scalars, tensorboard_summaries, lightning, transformers, wandb, lines):
        write()
        print(write.__name__)


if __name__ == "__main__":
    main()
