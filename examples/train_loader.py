"""Train the classifier of train.py on minibatches that DataLoader workers read, with dataset.py.

    python3 examples/train_loader.py --url redis://127.0.0.1:6380/0 --workers 2

With PyTorch installed its DataLoader is used, else loader.py, which takes the same arguments. The model is NumPy either way.
"""

import argparse
import contextlib
import sys
import time

import numpy as np

from dataset import Digits, collate
from loader import Loader, WorkerError
from train import Softmax, counters, explained, ratio, report


def arguments():
    parser = argparse.ArgumentParser(description="Train a digit classifier on samples that workers read through Forebay.")
    parser.add_argument("--url", default="redis://127.0.0.1:6380/0", help="where to read (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training split (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="samples of one MGET and step (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes that read; 0: this one (default: %(default)s)")
    parser.add_argument(
        "--persistent", action=argparse.BooleanOptionalAction, default=True, help="keep workers from epoch to epoch"
    )
    parser.add_argument("--loader", choices=("torch", "plain"), help="whose workers (default: torch if it is installed)")
    parser.add_argument("--rate", type=float, default=0.2, help="learning rate (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the shuffling (default: %(default)s)")
    parser.add_argument("--session", metavar="NAME", help="name the connections of all workers so")
    args = parser.parse_args()
    if min(args.epochs, args.batch) < 1 or args.workers < 0:
        parser.error("--epochs and --batch are at least 1, --workers at least 0")
    return args


def torch_or_none(args):
    """Return PyTorch if it is installed and wanted."""
    if args.loader == "plain":
        return None
    try:
        import torch.utils.data
    except ImportError:
        if args.loader == "torch":
            raise SystemExit("train_loader.py: --loader torch, but PyTorch is not installed")
        return None
    return torch


def training_loader(torch, dataset, args):
    """Return what iterates over shuffled minibatches of the dataset. PyTorch ends its workers when it is dropped."""
    options = {"batch_size": args.batch, "num_workers": args.workers, "collate_fn": collate}
    if args.workers:
        options["persistent_workers"] = args.persistent
    if torch is None:
        return Loader(dataset, shuffle=np.random.default_rng(args.seed), **options)
    if args.workers:
        # Spawned, not forked: a fork copies this process's threads' locks, but not the threads.
        options["multiprocessing_context"] = "spawn"
    return torch.utils.data.DataLoader(dataset, shuffle=True, generator=torch.Generator().manual_seed(args.seed), **options)


def train(batches, dataset, args):
    """Train and return the model, with one line printed for each epoch."""
    model = Softmax(args.rate)
    client = dataset.client()
    for epoch in range(1, args.epochs + 1):
        before = counters(client.info())
        began = time.perf_counter()
        right = 0
        for images, labels in batches:
            right += model.step(images, labels)
        seconds = time.perf_counter() - began
        report(epoch, right, len(dataset), seconds, ratio(before, counters(client.info())))
    return model


def held_out(model, dataset, args):
    """Return the model's accuracy on the dataset, 0 to 1. One pass is read here: workers would not pay for their start."""
    right = 0
    for images, labels in Loader(dataset, args.batch, collate_fn=collate):
        right += int((model.predict(images) == labels).sum())
    return right / len(dataset)


def main():
    args = arguments()
    torch = torch_or_none(args)
    kind = f"torch {torch.__version__}" if torch else "multiprocessing"
    print(f"{args.workers} workers of {kind}", flush=True)
    with explained("train_loader.py", args.url), contextlib.ExitStack() as stack:
        training = stack.enter_context(contextlib.closing(Digits(args.url, "train", args.session)))
        test = stack.enter_context(contextlib.closing(Digits(args.url, "test", args.session)))
        batches = training_loader(torch, training, args)
        if torch is None:
            stack.enter_context(batches)
        try:
            model = train(batches, training, args)
        except WorkerError as error:
            raise SystemExit(f"train_loader.py: {error}")
        print(f"held-out accuracy {100 * held_out(model, test, args):.1f} %")


if __name__ == "__main__":
    sys.exit(main())
